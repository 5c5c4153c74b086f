/** How the authorization server seals and hashes what must not be readable in its tables. */
import { createHmac } from 'node:crypto'
import { seal, unseal } from '../../vault/envelope.ts'

/** How the authorization server keeps what must not be read from its tables. */
export interface Sealed {
  seal(text: string, kind: string, id: string): string
  open(sealed: string, kind: string, id: string): string
  /** What stands in the table in place of an id that is a credential, some of which are short enough to be guessed. */
  hash(id: string): string
  /** Tells apart forms that we have made, for a purpose. */
  sign(text: string): string
}

/** @param key 32 bytes */
export function createSealed(key: Uint8Array): Sealed {
  const ring = new Map([['oauth', key]])
  const keyed = (purpose: string, text: string): string =>
    createHmac('sha256', key).update(`${purpose}\n${text}`).digest('base64url')
  return {
    seal: (text, kind, id) => seal(ring, text, kind, id),
    open: (sealed, kind, id) => unseal(ring, sealed, kind, id),
    hash: (id) => keyed('id', id),
    sign: (text) => keyed('form', text),
  }
}
