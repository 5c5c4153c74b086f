import { constants, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { TlsOptions } from '../port.ts'

/** Names that are remembered; names of strangers are many. */
const NAMES_MAX = 1000

interface Entry {
  readonly certificate: X509Certificate
  readonly context: SecureContext
}

/** The certificates of a listener, found by the name that a caller asks for (RFC 6066 3). */
export class Certificates {
  #entries: readonly Entry[] = []
  #byName = new Map<string, SecureContext>()

  /** Takes new ones all at once. Gives the options of the default; throws when one cannot be used. */
  replace({ pairs, clientAuthorities }: TlsOptions): SecureContextOptions {
    this.#entries = pairs.map((pair) => ({
      certificate: new X509Certificate(pair.certificate),
      context: createSecureContext(contextOptions(pair, clientAuthorities)),
    }))
    this.#byName = new Map()
    return contextOptions(pairs[0]!, clientAuthorities)
  }

  of(name: string): SecureContext {
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const fits = this.#entries.find(({ certificate }) => certificate.checkHost(name) !== undefined)
    const { context } = fits ?? this.#entries[0]!
    if (this.#byName.size >= NAMES_MAX) this.#byName.clear()
    this.#byName.set(name, context)
    return context
  }
}

function contextOptions(
  { certificate, key }: TlsOptions['pairs'][number],
  clientAuthorities: string | null,
): SecureContextOptions {
  return {
    cert: certificate,
    key,
    minVersion: 'TLSv1.2',
    honorCipherOrder: true,
    ...(clientAuthorities === null
      ? {}
      : {
          ca: clientAuthorities,
          allowPartialTrustChain: true,
          // A resumed session brings the certificate without the authorities in between
          secureOptions: constants.SSL_OP_NO_TICKET,
        }),
  }
}
