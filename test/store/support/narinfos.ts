/** What cache.nixos.org says about a build of curl, and what signs it: SPEC of the field, published keys. */
import { StorePath } from "../../../src/store/store-path.js";

export const CURL_STORE_PATH = "/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin";

export const CURL_FINGERPRINT =
  `1;${CURL_STORE_PATH};sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0;196040;` +
  "/nix/store/0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0," +
  "/nix/store/6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115," +
  "/nix/store/j5jxw3iy7bbz4a57fh9g2xm2gxmyal8h-zlib-1.2.12," +
  "/nix/store/yxvjs9drzsphm9pcf42a4byzj1kb9m7k-openssl-1.1.1n";

export const CURL_SIGNATURES = [
  "cache.nixos.org-1:TsTTb3WGTZKphvYdBHXwo6weVILmTytUjLB+vcX89fOjjRicCHmKA4RCPMVLkj6TMJ4GMX3HPVWRdD1hkeKZBQ==",
  "test1:519iiVLx/c4Rdt5DNt6Y2Jm6hcWE9+XY69ygiWSZCNGVcmOcyL64uVAJ3cV8vaTusIZdbTnYo9Y7vDNeTmmMBQ==",
] as const;

export const PUBLIC_KEYS = [
  "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=",
  "test1:tLAEn+EeaBUJYqEpTd2yeerr7Ic6+0vWe+aXL/vYUpE=",
] as const;

/** A published key for tests; never to be trusted. */
export const TEST_SECRET_KEY =
  "do.not.use:sGPzxuK5WvWPraytx+6sjtaff866sYlfvErE6x0hFEhy5eqe7OVZ8ZMqZ/ME/HaRdKGNGvJkyGKXYTaeA6lR3A==";
export const TEST_PUBLIC_KEY = "do.not.use:cuXqnuzlWfGTKmfzBPx2kXShjRryZMhil2E2ngOpUdw=";

export const CURL_NARINFO = `StorePath: ${CURL_STORE_PATH}
URL: nar/05ra3y72i3qjri7xskf9qj8kb29r6naqy1sqpbs3azi3xcigmj56.nar.xz
Compression: xz
FileHash: sha256:05ra3y72i3qjri7xskf9qj8kb29r6naqy1sqpbs3azi3xcigmj56
FileSize: 68852
NarHash: sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0
NarSize: 196040
References: 0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0 6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115 j5jxw3iy7bbz4a57fh9g2xm2gxmyal8h-zlib-1.2.12 yxvjs9drzsphm9pcf42a4byzj1kb9m7k-openssl-1.1.1n
Deriver: 5rwxzi7pal3qhpsyfc16gzkh939q1np6-curl-7.82.0.drv
System: x86_64-linux
Sig: ${CURL_SIGNATURES[0]}
Sig: ${CURL_SIGNATURES[1]}
`;

export const CURL_REFERENCES = [
  "0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0",
  "6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115",
  "j5jxw3iy7bbz4a57fh9g2xm2gxmyal8h-zlib-1.2.12",
  "yxvjs9drzsphm9pcf42a4byzj1kb9m7k-openssl-1.1.1n",
].map((basename) => StorePath.parse(basename));
