import { isIP } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, createSecureContext } from 'node:tls'
import type { UpstreamTls } from './port.ts'

/**
 * What every connection of a pool is made with: certificates are parsed once. Throws for PEM texts that TLS cannot use.
 */
export function tlsConnectionOptions({
  serverName,
  ca = null,
  verify = true,
  minVersion = 'TLSv1.2',
  client = null,
}: UpstreamTls): ConnectionOptions {
  return {
    secureContext: createSecureContext({
      minVersion,
      ...(ca === null ? {} : { ca }),
      ...(client === null ? {} : { cert: client.certificate, key: client.key }),
    }),
    // Server Name Indication takes no addresses (RFC 6066 3); the certificate is checked for them all the same
    servername: isIP(serverName) === 0 ? serverName : '',
    checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
    rejectUnauthorized: verify,
    ALPNProtocols: ['http/1.1'],
  }
}

const UNTRUSTED = 'no trusted authority has issued the certificate of the upstream'
const REFUSED = 'the upstream refused the client certificate'

const FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate of the upstream has expired',
  CERT_NOT_YET_VALID: 'the certificate of the upstream is not valid yet',
  CERT_REVOKED: 'the certificate of the upstream is revoked',
  INVALID_PURPOSE: 'the certificate of the upstream is not for servers',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate of the upstream is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  INVALID_CA: UNTRUSTED,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the upstream requires a client certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: REFUSED,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: REFUSED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: REFUSED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: REFUSED,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'the upstream supports no allowed version of TLS',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the upstream supports no allowed version of TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the upstream does not speak TLS',
}

/** Why a connection failed: the code of the system, with a sentence where TLS is at fault. Names no host. */
export function connectFault(error: NodeJS.ErrnoException): string {
  const { code } = error
  if (code === undefined) return error.message
  const sentence = FAULTS[code]
  return sentence === undefined ? code : `${sentence} (${code})`
}
