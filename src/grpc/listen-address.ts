/**
 * Addresses to listen on:
 *
 *   address := host ":" port | "[" IPv6 address "]" ":" port | "unix:" path [ "?mode=" octal digits ]
 *
 * `localhost` means both loopback addresses, `[::]` every address of the machine.
 */
import { StoreError } from "../base/errors.js";

export type ListenAddress =
  | { readonly type: "tcp"; readonly host: string; readonly port: number }
  | {
      readonly type: "unix";
      readonly path: string;
      /** Permission bits of the socket. */
      readonly mode: number;
    }
  | {
      /** A socket that listens already, as systemd hands them over. */
      readonly type: "inherited";
      readonly descriptor: number;
    };

/** Only its owner may connect, unless told otherwise. */
const MODE_DEFAULT = 0o600;
const PORT_MAX = 65_535;

/** @throws {StoreError} `invalid-argument`, saying what is allowed instead. */
export function parseListenAddress(text: string): ListenAddress {
  const unix = /^unix:(?:\/\/(?=\/))?([^?]+)(?:\?(.*))?$/s.exec(text);
  if (unix !== null)
    return { type: "unix", path: unix[1] as string, mode: readMode(text, unix[2]) };
  const tcp = /^(?:\[([\da-fA-F:.%]+)\]|([^:/[\]?@\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(tcp?.[3]);
  if (tcp === null || port > PORT_MAX) {
    throw wrong(text, "expected HOST:PORT, [IPV6]:PORT or unix:/path");
  }
  return { type: "tcp", host: (tcp[1] ?? tcp[2]) as string, port };
}

/** Whether programs on other machines may reach it; of an inherited socket only listening tells. */
export function isPublic(address: ListenAddress): boolean {
  return address.type === "tcp" && !/^(localhost|127(\.\d+){3}|::1)$/.test(address.host);
}

function readMode(text: string, query: string | undefined): number {
  if (query === undefined) return MODE_DEFAULT;
  const mode = /^mode=(0?[0-7]{3})$/.exec(query);
  if (mode === null) throw wrong(text, "after the path only ?mode=660 or the like is allowed");
  return Number.parseInt(mode[1] as string, 8);
}

function wrong(text: string, why: string): StoreError {
  return new StoreError(
    "invalid-argument",
    `Invalid listen address ${JSON.stringify(text)}: ${why}`,
  );
}
