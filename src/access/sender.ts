/** Where a request of somebody unknown came from: for the audit, and where failures are counted. */
export interface Sender {
  readonly ip: string | null
  readonly userAgent: string | null
}
