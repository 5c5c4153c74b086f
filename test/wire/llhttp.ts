import { createRequire } from 'node:module'

/** One message as Node's own parser read it. */
export interface Message {
  minor: number
  method: string
  url: string
  status: number
  /** Names and values in turn. */
  headers: string[]
  body: string
  /** The last byte of it was seen. */
  isComplete: boolean
  /** The parser would hand the connection over to another protocol. */
  isUpgrade: boolean
}

export interface Reading {
  readonly messages: Message[]
  readonly failed: boolean
}

type Callback = (...values: never[]) => number | undefined

interface Parser {
  [index: number]: Callback
  initialize(type: number, resource: object): void
  execute(bytes: Buffer): number | Error
  finish(): unknown
  close(): void
}

interface ParserClass {
  new (): Parser
  readonly REQUEST: number
  readonly RESPONSE: number
  readonly kOnHeaders: number
  readonly kOnHeadersComplete: number
  readonly kOnBody: number
  readonly kOnMessageComplete: number
}

// Not typed, but the only way to the parser without a socket and an event per message
const { HTTPParser, methods } = createRequire(import.meta.url)('_http_common') as {
  HTTPParser: ParserClass
  methods: readonly string[]
}

/** Reads a stream of requests, or one answer to GET, with llhttp as strict as Node uses it. */
export function readWithLlhttp(kind: 'requests' | 'answer', bytes: Buffer): Reading {
  const parser = new HTTPParser()
  parser.initialize(kind === 'requests' ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {})
  const messages: Message[] = []
  let early: string[] = []
  let earlyUrl = ''
  const complete = (
    _major: number,
    minor: number,
    headers: string[] | undefined,
    method: number,
    url: string | undefined,
    status: number,
    _reason: string,
    isUpgrade: boolean,
  ): number => {
    messages.push({
      minor,
      method: methods[method] ?? '',
      url: earlyUrl + (url ?? ''),
      status,
      headers: [...early, ...(headers ?? [])],
      body: '',
      isComplete: false,
      isUpgrade,
    })
    early = []
    earlyUrl = ''
    return 0
  }
  const headers = (names: string[], url: string): undefined => {
    // Else they are trailers
    if (messages.at(-1)?.isComplete === false) return
    early.push(...names)
    earlyUrl += url
  }
  parser[HTTPParser.kOnHeaders] = headers as Callback
  parser[HTTPParser.kOnHeadersComplete] = complete as Callback
  parser[HTTPParser.kOnBody] = ((body: Buffer): undefined => {
    messages.at(-1)!.body += body.toString('latin1')
  }) as Callback
  parser[HTTPParser.kOnMessageComplete] = ((): undefined => {
    messages.at(-1)!.isComplete = true
  }) as Callback
  // The parser keeps no reference to what it was given
  const result = parser.execute(Buffer.from(bytes))
  const failed = typeof result !== 'number'
  parser.close()
  return { messages, failed }
}

/** A small seeded generator: the same seed gives the same cases everywhere. */
export function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1
  return (below) => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state % below
  }
}

/** Changes `text` in up to three places: inserts one of `pieces`, deletes, replaces a byte, repeats or adds a line. */
export function mutate(text: string, pieces: readonly string[], random: (below: number) => number): string {
  let changed = text
  for (let count = random(3) + 1; count > 0; count--) {
    const at = random(changed.length + 1)
    const piece = pieces[random(pieces.length)]!
    const lineEnd = changed.indexOf('\r\n', at)
    const line = lineEnd < 0 ? changed.length : lineEnd + 2
    switch (random(5)) {
      case 0:
        changed = changed.slice(0, at) + piece + changed.slice(at)
        break
      case 1:
        changed = changed.slice(0, at) + changed.slice(at + 1 + random(3))
        break
      case 2:
        changed = changed.slice(0, at) + String.fromCharCode(random(256)) + changed.slice(at + 1)
        break
      case 3:
        changed = changed.slice(0, line) + piece + changed.slice(line)
        break
      default:
        changed = changed.slice(0, line) + changed.slice(at, line) + changed.slice(line)
    }
  }
  return changed
}
