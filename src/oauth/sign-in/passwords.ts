/** Hashes and verifies passwords. One password is hashed at a time, so that sign-ins cannot use up the CPU. */
import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { refuse } from '../../base/refusal.ts'
import { InLine } from '../../base/threads/in-line.ts'

const derive = promisify(argon2)

/** Argon2id as the OWASP Password Storage Cheat Sheet asks for: 19 MiB, two passes, one lane. */
const MEMORY_KIB = 19_456
const PASSES = 2
const LANES = 1
const SALT_BYTES = 16
const TAG_BYTES = 32

/** Characters of a password. NIST SP 800-63B section 3.1.1.2 asks for length and for no rules of composition. */
const LENGTH_MIN = 12
const LENGTH_MAX = 256

/** Those who wait for their turn; each waits for about 50 ms for each before them. */
const WAITING_MAX = 20

/** What is kept of a password: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`, the PHC string format. */
export interface Passwords {
  /** Refuses with auth_throttled when too many wait. */
  hash(password: string): Promise<string>
  /**
   * True for the password that was hashed. Without a hash it takes as long, and is false: how long an answer takes must
   * not tell which names there are. Refuses with auth_throttled when too many wait.
   */
  verify(password: string, hash: string | undefined): Promise<boolean>
}

/** Hashes one password at a time: each takes 19 MiB and a core, which nobody who guesses shall have several of. */
export function createPasswords(): Passwords {
  let waiting = 0
  const line = new InLine(1)
  const decoy = format(randomBytes(SALT_BYTES), randomBytes(TAG_BYTES))

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (waiting >= WAITING_MAX)
      throw refuse('auth_throttled', {
        detail: 'Too many sign-ins at this moment. Try again in a second.',
        members: { retry_after_ms: 1000 },
        inner: 'too many passwords wait for their turn',
      })
    waiting++
    return line.run('', work).finally(() => {
      waiting--
    })
  }

  return {
    async hash(password) {
      const salt = randomBytes(SALT_BYTES)
      return format(salt, await inTurn(() => tagOf(password, salt, TAG_BYTES, [MEMORY_KIB, PASSES, LANES])))
    },
    async verify(password, hash) {
      const { cost, salt, tag } = parse(hash ?? decoy)
      const found = await inTurn(() => tagOf(password, salt, tag.length, cost))
      return timingSafeEqual(found, tag) && hash !== undefined
    },
  }
}

/**
 * Why a password cannot be taken, as a sentence; null when it can.
 * @param names of whoever it is for, which others would try first.
 */
export function faultOfPassword(password: string, names: readonly string[]): string | null {
  const length = [...password.normalize('NFKC')].length
  if (length < LENGTH_MIN) return `A password has at least ${LENGTH_MIN} characters.`
  if (length > LENGTH_MAX) return `A password has at most ${LENGTH_MAX} characters.`
  const folded = fold(password)
  if (names.some((name) => fold(name) === folded)) return 'The password must not be the name or the email.'
  return null
}

const fold = (text: string): string => text.normalize('NFKC').trim().toLowerCase()

type Cost = readonly [memory: number, passes: number, lanes: number]

function tagOf(password: string, nonce: Buffer, tagLength: number, cost: Cost): Promise<Buffer> {
  const [memory, passes, parallelism] = cost
  // One text has several spellings in Unicode, and keyboards differ in which they send
  const message = password.normalize('NFKC')
  const parameters: Argon2Parameters = { message, nonce, tagLength, memory, passes, parallelism }
  return derive('argon2id', parameters)
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')

function format(salt: Buffer, tag: Buffer): string {
  const cost = `m=${MEMORY_KIB},t=${PASSES},p=${LANES}`
  return `$argon2id$v=19$${cost}$${unpadded(salt)}$${unpadded(tag)}`
}

/** Throws for a text that {@link format} did not make. */
function parse(text: string): { readonly cost: Cost; readonly salt: Buffer; readonly tag: Buffer } {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text)
  if (match === null) throw new Error('What is stored is no hash of a password.')
  const [, memory, passes, lanes, salt, tag] = match
  return {
    cost: [Number(memory), Number(passes), Number(lanes)],
    salt: Buffer.from(salt!, 'base64'),
    tag: Buffer.from(tag!, 'base64'),
  }
}
