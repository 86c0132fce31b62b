/**
 * PathInfoService: what its calls mean.
 */
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import { isStoreError, StoreError } from "../base/errors.js";
import type { BlobService } from "../castore/blob/service.js";
import type { DirectoryService } from "../castore/directory/service.js";
import type { Node } from "../castore/node.js";
import { decodeNode } from "../castore/node-codec.js";
import { validateName } from "../castore/path-component.js";
import type { CalculateNARResponse } from "../gen/tvix/store/v1/CalculateNARResponse.js";
import type { GetPathInfoRequest__Output } from "../gen/tvix/store/v1/GetPathInfoRequest.js";
import { findMissing } from "../store/completeness.js";
import { checkContentAddress } from "../store/content-address-check.js";
import { verifyContentAddress } from "../store/content-address-verify.js";
import { NarCalculator } from "../store/nar/calculation.js";
import type { NarRecords } from "../store/nar/records.js";
import { encodeNixBase32 } from "../store/nixbase32.js";
import type { PathInfoService } from "../store/path-info/service.js";
import type { PathInfo } from "../store/path-info.js";
import { decodePathInfo, encodePathInfo } from "../store/path-info-codec.js";
import { trustIn } from "../store/path-info-trust.js";
import type { PublicKey } from "../store/signature/public-key.js";
import type { CallContext, CallHandlers } from "./call-handlers.js";

/** The three services of one store. */
export interface StoreServices {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
  readonly pathInfos: PathInfoService;
  /** Where calculated NARs are kept; without it, in memory. */
  readonly nars?: NarRecords | undefined;
}

export interface PathInfoPolicy {
  /** Takes path infos whose content is not in the store (yet). */
  readonly allowIncomplete?: boolean;
  /** Takes path infos that contradict what is stored, in its place. */
  readonly allowOverwrite?: boolean;
  /** Takes only what one of these keys has signed, or whose content address its content bears out. */
  readonly trustedKeys?: readonly PublicKey[] | undefined;
}

/** The methods of PathInfoService over `services`. */
export function pathInfoMethods(
  services: StoreServices,
  handlers: CallHandlers,
  policy: PathInfoPolicy,
): UntypedServiceImplementation {
  const calculator = new NarCalculator(services, services.nars);
  return {
    Get: handlers.unary((request: GetPathInfoRequest__Output, context) =>
      get(services.pathInfos, request, context),
    ),
    Put: handlers.unary((message: Uint8Array, context) =>
      put({ services, calculator }, message, policy, context),
    ),
    CalculateNAR: handlers.unary((message: Uint8Array, context) =>
      calculate(calculator, message, context),
    ),
    List: handlers.download((_request: unknown, context) => list(services.pathInfos, context)),
  };
}

async function get(
  pathInfos: PathInfoService,
  request: GetPathInfoRequest__Output,
  context: CallContext,
): Promise<Uint8Array> {
  const hash = request.by_output_hash;
  if (hash === undefined) throw new StoreError("unsupported", "by_what needs to be specified");
  const pathInfo = await pathInfos.get(hash, context);
  if (pathInfo !== undefined) return encodePathInfo(pathInfo);
  throw new StoreError("not-found", `There is no path info of ${encodeNixBase32(hash)}`);
}

async function put(
  { services, calculator }: { services: StoreServices; calculator: NarCalculator },
  message: Uint8Array,
  { allowIncomplete = false, allowOverwrite = false, trustedKeys = [] }: PathInfoPolicy,
  context: CallContext,
): Promise<Uint8Array> {
  const pathInfo = decodePathInfo(message);
  checkContentAddress(pathInfo);
  const trust = trustedKeys.length === 0 ? "everybody" : trustIn(pathInfo, trustedKeys)?.by;
  if (trust === undefined) {
    throw new StoreError(
      "permission-denied",
      `Cannot store path info of ${pathInfo.storePath}: it has neither a signature by a key that is ` +
        "trusted here nor a content address",
    );
  }
  const isForAll = trust === "everybody";
  const missing =
    isForAll && allowIncomplete ? undefined : await findMissing(pathInfo.node, services, context);
  if (missing !== undefined && !allowIncomplete) {
    throw new StoreError(
      "invalid-argument",
      `Cannot store path info of ${pathInfo.storePath}: its content is not complete: ${missing}`,
    );
  }
  if (trust === "content-address") await verifyContent(pathInfo, services, context);
  // A signature speaks for a NAR, not for the node that is said to be its content.
  if (!isForAll && missing === undefined && !(await calculator.bearsOut(pathInfo, context))) {
    throw new StoreError(
      "invalid-argument",
      `Cannot store path info of ${pathInfo.storePath}: its content does not have its NAR hash`,
    );
  }
  return encodePathInfo(
    await services.pathInfos.put(pathInfo, { ...context, overwrite: allowOverwrite }),
  );
}

/** What was uploaded is the uploader's mistake, not damage of ours. */
async function verifyContent(
  pathInfo: PathInfo,
  services: StoreServices,
  context: CallContext,
): Promise<void> {
  try {
    await verifyContentAddress(pathInfo, services, context);
  } catch (error) {
    if (!isStoreError(error, "corrupt")) throw error;
    throw new StoreError("invalid-argument", error.message);
  }
}

async function calculate(
  calculator: NarCalculator,
  message: Uint8Array,
  context: CallContext,
): Promise<CalculateNARResponse> {
  const { narSize, narSha256 } = await calculator.calculate(readRoot(message), context);
  return { nar_size: String(narSize), nar_sha256: narSha256 };
}

/** The older generation of clients names the node, the newer does not. */
function readRoot(message: Uint8Array): Node {
  const root = decodeNode(message);
  if (root === undefined) throw new StoreError("invalid-argument", "no root node sent");
  if (root.name.length > 0) validateName(root.name);
  return root.node;
}

async function* list(pathInfos: PathInfoService, context: CallContext): AsyncGenerator<Uint8Array> {
  for await (const pathInfo of pathInfos.list(context)) yield encodePathInfo(pathInfo);
}
