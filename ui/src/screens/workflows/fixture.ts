/** The request of a trial, from a text that a person pastes: a request as JSON, a body as JSON, or a curl command. */
import type { Json, JsonObject } from '../../../build/document.ts'
import { isObject } from '../../schema/value.ts'

export type Fixture = JsonObject

export type ReadFixture =
  | {
      readonly fixture: Fixture
      readonly from: 'nothing' | 'request' | 'body' | 'curl'
      readonly leftOut: readonly string[]
    }
  | { readonly fault: string }

const MEMBERS = [
  'method',
  'path',
  'path_params',
  'query',
  'headers',
  'body',
  'client',
  'profile',
  'claims',
  'ip',
]
/** Credentials are never sent to a trial. */
const SECRET_HEADERS = /^(?:authorization|proxy-authorization|cookie)$/i

/** Reads what was pasted. */
export function readFixture(text: string): ReadFixture {
  const trimmed = text.trim()
  if (trimmed === '') return { fixture: {}, from: 'nothing', leftOut: [] }
  if (/^curl(?:\.exe)?\s/.test(trimmed)) return readCurl(trimmed)
  let value: Json
  try {
    value = JSON.parse(trimmed) as Json
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it cannot be read'
    return { fault: `This is neither JSON nor a curl command: ${reason}` }
  }
  const isRequest =
    isObject(value) &&
    Object.keys(value).length > 0 &&
    Object.keys(value).every((name) => MEMBERS.includes(name))
  return isRequest
    ? { fixture: value as JsonObject, from: 'request', leftOut: [] }
    : { fixture: { method: 'POST', body: value }, from: 'body', leftOut: [] }
}

/** Words of a POSIX shell: quotes, escapes, continued lines and `$'…'`. Null if a quote is not closed. */
export function shellWords(text: string): readonly string[] | null {
  const words: string[] = []
  let word: string | null = null
  let index = 0
  const add = (part: string): void => {
    word = (word ?? '') + part
  }
  while (index < text.length) {
    const char = text[index]!
    const next = text[index + 1]
    if (char === '\\') {
      if (next === '\n') index += 2
      else if (next === '\r') index += text[index + 2] === '\n' ? 3 : 2
      else {
        add(next ?? '')
        index += 2
      }
    } else if (char === "'" || (char === '$' && next === "'")) {
      const isEscaped = char === '$'
      const from = index + (isEscaped ? 2 : 1)
      const end = endOfQuote(text, from, "'", isEscaped)
      if (end === -1) return null
      add(isEscaped ? unescaped(text.slice(from, end)) : text.slice(from, end))
      index = end + 1
    } else if (char === '"') {
      const end = endOfQuote(text, index + 1, '"', true)
      if (end === -1) return null
      add(
        text
          .slice(index + 1, end)
          .replaceAll(/\\(["\\$`])/g, '$1')
          .replaceAll('\\\n', ''),
      )
      index = end + 1
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word)
      word = null
      index++
    } else {
      add(char)
      index++
    }
  }
  if (word !== null) words.push(word)
  return words
}

function endOfQuote(text: string, from: number, quote: string, hasEscapes: boolean): number {
  for (let index = from; index < text.length; index++) {
    if (text[index] === quote) return index
    if (hasEscapes && text[index] === '\\') index++
  }
  return -1
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

function unescaped(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\s\S]))/g, (_, four, two, one) =>
    one === undefined ? String.fromCharCode(Number.parseInt(four ?? two, 16)) : (ESCAPES[one] ?? one),
  )
}

const METHOD = ['-X', '--request']
const HEADER = ['-H', '--header']
const DATA = ['-d', '--data', '--data-raw', '--data-binary', '--data-ascii', '--data-urlencode', '--json']
/** Options with a value that a trial has no use for. */
const SKIPPED = [
  '-o',
  '--output',
  '-A',
  '--user-agent',
  '-e',
  '--referer',
  '--max-time',
  '-m',
  '--connect-timeout',
]
const CREDENTIALS = ['-u', '--user', '-b', '--cookie', '--oauth2-bearer', '-E', '--cert', '--key']

function readCurl(text: string): ReadFixture {
  const words = shellWords(text)
  if (words === null) return { fault: 'A quote in the curl command is not closed.' }
  let method: string | null = null
  let isGet = false
  let address: string | null = null
  const headers = new Map<string, string>()
  const data: string[] = []
  const leftOut: string[] = []
  const rest = words.slice(1)
  for (let index = 0; index < rest.length; index++) {
    const word = rest[index]!
    const [name, inline] = splitOption(word)
    const value = (): string => inline ?? rest[++index] ?? ''
    if (METHOD.includes(name)) method = value().toUpperCase()
    else if (HEADER.includes(name)) addHeader(value(), headers, leftOut)
    else if (DATA.includes(name)) {
      data.push(value())
      if (name === '--json') headers.set('content-type', 'application/json')
    } else if (CREDENTIALS.includes(name)) {
      value()
      leftOut.push(name)
    } else if (SKIPPED.includes(name)) value()
    else if (name === '--url') address = value()
    else if (name === '-G' || name === '--get') isGet = true
    else if (name === '-I' || name === '--head') method = 'HEAD'
    else if (!word.startsWith('-')) address ??= word
  }
  if (address === null) return { fault: 'The curl command has no URL.' }
  const url = urlOf(address)
  if (url === null) return { fault: `"${address}" is not a URL.` }
  const joined = data.join('&')
  const query = isGet
    ? new URLSearchParams([url.search.slice(1), joined].filter(Boolean).join('&'))
    : url.searchParams
  const hasBody = data.length > 0 && !isGet
  return {
    fixture: {
      method: method ?? (hasBody ? 'POST' : 'GET'),
      path: url.pathname,
      ...(query.size > 0 && { query: queryOf(query) }),
      ...(headers.size > 0 && { headers: Object.fromEntries(headers) }),
      ...(hasBody && { body: bodyOf(joined) }),
    },
    from: 'curl',
    leftOut,
  }
}

/** `-XPOST` and `--request=POST` as name and value. */
function splitOption(word: string): readonly [name: string, value: string | undefined] {
  if (word.startsWith('--')) {
    const [name = '', ...value] = word.split('=')
    return [name, value.length > 0 ? value.join('=') : undefined]
  }
  const isShort = /^-[XHdu]./.test(word)
  return isShort ? [word.slice(0, 2), word.slice(2)] : [word, undefined]
}

function addHeader(line: string, headers: Map<string, string>, leftOut: string[]): void {
  const [name = '', ...value] = line.split(':')
  const key = name.trim().toLowerCase()
  if (key === '') return
  if (SECRET_HEADERS.test(key)) leftOut.push(name.trim())
  else headers.set(key, value.join(':').trim())
}

function urlOf(address: string): URL | null {
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(address)
    ? address
    : address.startsWith('/')
      ? `http://localhost${address}`
      : `http://${address}`
  return URL.canParse(whole) ? new URL(whole) : null
}

function queryOf(query: URLSearchParams): JsonObject {
  return Object.fromEntries(
    [...new Set(query.keys())].map((name) => {
      const values = query.getAll(name)
      return [name, values.length === 1 ? values[0]! : values]
    }),
  )
}

function bodyOf(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

/** The request of a record, which has neither headers nor a body. */
export function fixtureOfRecord(record: {
  readonly method: string | null
  readonly path: string | null
  readonly client?: string | null
  readonly profile?: string | null
}): Fixture {
  const { method, path, client, profile } = record
  return {
    ...(method != null && { method }),
    ...(path != null && { path }),
    ...(client != null && { client }),
    ...(profile != null && { profile }),
  }
}

/** What a person has pasted, in one line. */
export function summaryOf({ fixture, from, leftOut }: Exclude<ReadFixture, { fault: string }>): string {
  if (from === 'nothing') return 'An empty GET request. Paste a request or a body as JSON, or a curl command.'
  const { method = 'GET', path = '/', body } = fixture
  const what = body === undefined || body === null ? 'without a body' : `with ${sizeWords(body)}`
  const left =
    leftOut.length > 0 ? ` Left out, because a trial has no credentials: ${leftOut.join(', ')}.` : ''
  return `${String(method)} ${String(path)} ${what}.${left}`
}

function sizeWords(body: Json): string {
  if (typeof body === 'string') return 'text as its body'
  if (Array.isArray(body)) return `a JSON list of ${body.length}`
  if (!isObject(body)) return 'a JSON value as its body'
  const names = Object.keys(body)
  return names.length === 0
    ? 'an empty JSON object'
    : `the JSON members ${names.slice(0, 6).join(', ')}${names.length > 6 ? ' …' : ''}`
}
