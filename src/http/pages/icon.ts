/** What browsers put beside the title of a page: three slabs in one stack. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="#3d7fc4">
<rect x="1" y="2" width="14" height="3.2" rx="1"/>
<rect x="1" y="6.4" width="14" height="3.2" rx="1" opacity=".75"/>
<rect x="1" y="10.8" width="14" height="3.2" rx="1" opacity=".5"/>
</svg>
`;
