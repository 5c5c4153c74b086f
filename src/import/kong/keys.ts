import { importFault } from '../../base/crypto/token.ts'
import type { Plain } from '../../base/json/storable.ts'
import type { MadeKey } from '../converted.ts'
import { KEY_MEMBERS, listIn, unknownMembers } from './members.ts'
import type { Report } from './report.ts'

/** Keys of one consumer that are carried over: as many tokens work in a profile. */
const KEYS_MAX = 10

/** A reference in the place of a key: to a vault of Kong, or to what decK fills in from its environment. */
const REFERENCE = /^\{vault:\/\/|\$\{\{/

/** Gathers keys of consumers. A key that two consumers have is of neither: nobody knows who calls with it. */
export class Keys {
  readonly #byText = new Map<string, MadeKey | null>()
  readonly #report: Report

  constructor(report: Report) {
    this.#report = report
  }

  /** Takes the keys of a consumer, and gives how many of them are carried over unless another consumer has them too. */
  add(consumer: Plain, consumerName: string, client: string, profile: string): number {
    let taken = 0
    for (const [index, credential] of listIn(consumer, 'keyauth_credentials').entries()) {
      const name = `${index + 1} of consumer ${consumerName}`
      const fault = taken >= KEYS_MAX ? `a profile has at most ${KEYS_MAX}` : faultOf(credential)
      if (fault !== null) {
        this.#report.leftOut('key', name, fault)
        continue
      }
      const text = credential['key'] as string
      const known = this.#byText.get(text)
      if (known === undefined) {
        this.#byText.set(text, { client, profile, clientName: consumerName, name, text })
        taken++
        continue
      }
      this.#report.leftOut('key', name, 'another key has the same value')
      if (known === null) continue
      this.#byText.set(text, null)
      this.#report.leftOut('key', known.name, 'another key has the same value')
    }
    return taken
  }

  get made(): readonly MadeKey[] {
    const made = [...this.#byText.values()].filter((key) => key !== null)
    for (const { name, client, profile } of made)
      this.#report.kept('key', name, `token of profile ${client}:${profile}, by import-keys`)
    return made
  }
}

/** Why a key is not carried over; null where it is. The reason has nothing of the key. */
function faultOf(credential: Plain): string | null {
  const unknown = unknownMembers(credential, KEY_MEMBERS)
  if (unknown.length > 0) return `it has ${unknown.join(', ')}, which is not carried over`
  const { key, ttl } = credential
  if (ttl != null && ttl !== 0) return 'it has a ttl, and the file does not say when it ends'
  if (typeof key !== 'string' || key === '') return 'its value is not in the file'
  if (REFERENCE.test(key)) return 'it is a reference, not a key'
  return importFault(key)
}
