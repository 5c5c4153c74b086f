/** A question to a server that had no answer. The message has no value of the question or of a row, and no secret. */
export class ServiceFailure extends Error {
  /** See `ServiceResult` in port.ts. */
  readonly kind: string
  constructor(kind: string, message: string) {
    super(message)
    this.kind = kind
  }
}

/** The connection has ended before the answer was whole. */
export function lost(): ServiceFailure {
  return new ServiceFailure('connect', 'the server closed the connection')
}

export function tooLong(bytesMax: number): ServiceFailure {
  return new ServiceFailure('size', `the answer is longer than ${bytesMax / 1024 / 1024} MiB`)
}

/** What a driver says of a connection, without what the text repeats. */
export function connectionFailure(text: unknown): ServiceFailure {
  if (/SSL|TLS|certificate/i.test(String(text)))
    return new ServiceFailure('connect', 'TLS could not be agreed with the server')
  return /^SASL|plaintext|authentication/.test(String(text))
    ? new ServiceFailure('login', 'signing in to the server failed')
    : lost()
}
