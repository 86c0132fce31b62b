/**
 * Sockets that systemd opened for us (sd_listen_fds(3)).
 */
import type { ListenAddress } from "../grpc/listen-address.js";

/** The first of them; they follow one another. */
const FIRST_DESCRIPTOR = 3;
const DESCRIPTORS_MAX = 1024;

/** The sockets this process was handed; none when they were meant for another, or there are none. */
export function inheritedSockets(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): ListenAddress[] {
  const count = Number(environment["LISTEN_FDS"]);
  if (environment["LISTEN_PID"] !== String(pid)) return [];
  if (!Number.isInteger(count) || count < 1 || count > DESCRIPTORS_MAX) return [];
  return Array.from({ length: count }, (_, index) => ({
    type: "inherited",
    descriptor: FIRST_DESCRIPTOR + index,
  }));
}
