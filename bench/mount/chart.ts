/**
 * docs/bench/mount.svg: one line for each metric, one mark for each contender, the disk tree at 1. On a
 * panel of its own, so that it reads on light and dark pages alike.
 */
import type { State } from "./measure.js";
import type { Results } from "./results.js";

const WIDTH = 920;
const LEFT = 250;
const RIGHT = 30;
const LINE = 24;
const GROUP = 40;
const TOP = 96;
const FONT = "font-family=\"system-ui, -apple-system, 'DejaVu Sans', sans-serif\"";

/** Colours that also differ in brightness, and shapes for those who see no colours. */
const MARKS: Readonly<Record<string, { readonly colour: string; readonly shape: Shape }>> = {
  kernel: { colour: "#0b57d0", shape: "circle" },
  passthrough: { colour: "#58a6ff", shape: "ring" },
  "fuse-native": { colour: "#d9480f", shape: "square" },
  squashfuse: { colour: "#2b8a3e", shape: "triangle" },
  squashfs: { colour: "#868e96", shape: "diamond" },
};
type Shape = "circle" | "ring" | "square" | "triangle" | "diamond";

const GROUPS: readonly (readonly [State, string])[] = [
  ["mount-cold", "mount cold, what lies behind it in the page cache"],
  ["all-cold", "every cache dropped"],
  ["warm", "warm"],
];

export function chart(results: Results): string {
  const contenders = results.contenders.filter(({ id }) => MARKS[id] !== undefined);
  const groups = GROUPS.map(([state, title]) => ({
    title,
    lines: results
      .rowsOf(state)
      .map(({ metric }) => ({
        title: metric.title,
        speeds: contenders
          .map(({ id }) => ({ id, speed: results.speed(state, metric.id, id, "disk") }))
          .filter(({ speed }) => speed > 0),
      }))
      .filter((line) => line.speeds.length > 0),
  })).filter(({ lines }) => lines.length > 0);

  const speeds = groups.flatMap(({ lines }) =>
    lines.flatMap((line) => line.speeds.map(({ speed }) => speed)),
  );
  const low = Math.floor(Math.log10(Math.min(0.1, ...speeds)));
  const high = Math.max(0.35, Math.log10(Math.max(...speeds)) + 0.05);
  const x = (speed: number) =>
    LEFT + ((Math.log10(speed) - low) / (high - low)) * (WIDTH - LEFT - RIGHT);

  const drawn: string[] = [];
  let y = TOP;
  for (const { title, lines } of groups) {
    drawn.push(text(16, y + 20, title, { weight: 600 }));
    y += GROUP;
    for (const line of lines) {
      drawn.push(
        text(LEFT - 12, y + 4, line.title, { anchor: "end", size: 12 }),
        `<path d="M${LEFT} ${y}H${WIDTH - RIGHT}" stroke="#e9ecef"/>`,
        // Ours last, on top of the others.
        ...[...line.speeds].reverse().map(({ id, speed }) => mark(id, x(speed), y)),
      );
      y += LINE;
    }
  }
  const height = y + 44;

  const ticks = gridOf(low, high).map(([speed, label]) => {
    const at = x(speed).toFixed(1);
    const colour = speed === 1 ? "#495057" : "#dee2e6";
    return (
      `<path d="M${at} ${TOP + 6}V${y}" stroke="${colour}"${speed === 1 ? ' stroke-width="1.5"' : ""}/>` +
      (label === "" ? "" : text(x(speed), y + 20, label, { anchor: "middle", size: 12 }))
    );
  });
  let legendX = 16;
  const legend = contenders.map(({ id, title }) => {
    const at = legendX;
    legendX += 34 + title.length * 7.4;
    return mark(id, at + 6, 60) + text(at + 18, 64, title, { size: 13 });
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" ${FONT}>
<title>How fast each contender is against the same tree on disk</title>
<rect width="${WIDTH}" height="${height}" rx="8" fill="#ffffff" stroke="#ced4da"/>
${text(16, 32, "How fast against the same tree on disk", { size: 17, weight: 600 })}
${legend.join("\n")}
${ticks.join("\n")}
${drawn.join("\n")}
${text(x(1), y + 36, "the disk tree", { anchor: "middle", size: 11 })}
${text(LEFT, y + 36, "\u2190 slower", { size: 11 })}
</svg>
`;
}

/** 0.1, 0.2, 0.5 and so on; the numbers that are written beside the lines. */
function gridOf(low: number, high: number): (readonly [number, string])[] {
  const grid: (readonly [number, string])[] = [];
  for (let decade = low; decade <= high; decade++) {
    for (const step of [1, 2, 5]) {
      const speed = step * 10 ** decade;
      if (Math.log10(speed) > high) continue;
      grid.push([speed, `${Number(speed.toPrecision(1))}×`]);
    }
  }
  return grid;
}

function mark(id: string, x: number, y: number): string {
  const { colour, shape } = MARKS[id] ?? { colour: "#000000", shape: "circle" };
  const fill = `fill="${colour}"`;
  switch (shape) {
    case "circle":
      return `<circle cx="${x.toFixed(1)}" cy="${y}" r="6" ${fill}/>`;
    case "ring":
      return `<circle cx="${x.toFixed(1)}" cy="${y}" r="5" fill="#ffffff" stroke="${colour}" stroke-width="2.5"/>`;
    case "square":
      return `<rect x="${(x - 4.5).toFixed(1)}" y="${y - 4.5}" width="9" height="9" ${fill}/>`;
    case "triangle":
      return `<path d="M${(x - 5.5).toFixed(1)} ${y + 4.5}h11l-5.5 -10z" ${fill}/>`;
    case "diamond":
      return `<path d="M${x.toFixed(1)} ${y - 6}l5 6l-5 6l-5 -6z" ${fill}/>`;
  }
}

function text(
  x: number,
  y: number,
  content: string,
  { size = 14, weight = 400, anchor = "start" },
): string {
  const escaped = content.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y}" font-size="${size}" font-weight="${weight}" text-anchor="${anchor}" fill="#212529">${escaped}</text>`;
}
