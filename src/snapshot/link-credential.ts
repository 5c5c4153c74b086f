import type { Opener } from '../vault/opener.ts'
import type { CredentialFragment } from './fragments.ts'
import { lineOf } from './link-collection.ts'
import type { LinkedCredential } from './snapshot.ts'

/** Opens a credential once and forms what is sent. Throws when a secret cannot be opened or sent. */
export function linkCredential(fragment: CredentialFragment, open: Opener): LinkedCredential {
  const { id, settings } = fragment
  const secret = (field: string): string => {
    const sealed = fragment.sealed[field]
    if (sealed === undefined) throw new RangeError(`the ${field} is not set`)
    return open(sealed, id, field).reveal()
  }
  switch (fragment.type) {
    case 'basic': {
      // RFC 7617: user id and password as UTF-8
      const pair = Buffer.from(`${settings['username'] ?? ''}:${secret('password')}`).toString('base64')
      return headerOf(id, 'Authorization', `Basic ${pair}`)
    }
    case 'bearer':
      return headerOf(id, 'Authorization', `Bearer ${secret('token')}`)
    case 'api_key': {
      const name = settings['name'] ?? 'X-API-Key'
      const value = (settings['prefix'] ?? '') + secret('key')
      if (settings['in'] !== 'query') return headerOf(id, name, value)
      const pair = `${encodeURIComponent(name)}=${encodeURIComponent(value)}`
      return { kind: 'credential', id, line: '', name: '', pair, parameter: name }
    }
    default:
      throw new RangeError('the type is not known')
  }
}

function headerOf(id: string, name: string, value: string): LinkedCredential {
  // The message of a fault is shown to operators, so it must not hold the value.
  if (!/^[\t -~]*$/.test(value)) throw new RangeError('the secret has characters that cannot be sent')
  return {
    kind: 'credential',
    id,
    line: lineOf(name, value),
    name: name.toLowerCase(),
    pair: '',
    parameter: '',
  }
}
