/** What a client has to know of a method to call it. */
export interface ClientMethod<Request, Answer> {
  /** `/tvix.castore.v1.BlobService/Read` */
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Answer;
}
