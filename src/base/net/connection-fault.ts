/** Codes of Node.js for a certificate chain that ends at no trusted authority. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
])
const NO_TLS: ReadonlySet<string> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
])

/**
 * Why a `fetch` got no response, and what to do, as sentences of the command line.
 * @returns empty when the error tells nothing that a person could use.
 */
export function connectionFault(error: unknown): string {
  if (!(error instanceof Error)) return ''
  if (error.name === 'TimeoutError') return 'It took too long.'
  const code = error.cause instanceof Error && 'code' in error.cause ? String(error.cause.code) : ''
  if (code === 'ECONNREFUSED') return 'Is it running? Start it with: postern up'
  if (UNTRUSTED.has(code))
    return `This machine does not trust the authority that signed the certificate (${code}). For a private authority, set NODE_EXTRA_CA_CERTS to a file with the certificate of the authority (PEM).`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `The certificate is for other host names (${code}). Use a host name that the certificate contains.`
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return `The certificate has expired or is not valid yet (${code}). Replace it on the server, or correct the clock.`
  if (NO_TLS.has(code)) return `The port does not speak TLS (${code}). Use http instead of https.`
  return code
}

/** What a response says that a port with TLS gives to plain HTTP; empty for any other response. */
export function plainHttpFault(status: number, text: string): string {
  return status === 400 && text.startsWith('This port speaks TLS.') ? text.trim() : ''
}
