/**
 * Two services of one kind, composed: a far one that has everything and a near one, quicker, that keeps
 * what passed through. Near never has what far did not confirm; losing it costs time only.
 */
export interface NearFar<Service> {
  /** Usually the local store: what was read once is read from here. */
  readonly near: Service;
  /** The truth: asked for what near lacks, and the only one that is written. */
  readonly far: Service;
  /** Told why near could not take or give something; the call goes on with far alone. */
  readonly onNearFailure?: (error: unknown) => void;
}
