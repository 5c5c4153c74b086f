import type { RefusalCode } from '../../base/refusal.ts'
import type { Hypothetical } from '../../model/explanation.ts'
import { canonicalAuthority } from '../../wire/authority.ts'
import { DEFAULT_LIMITS } from '../../wire/limits.ts'
import { RequestHead } from '../../wire/native/request-head.ts'
import { compileRules } from '../../wire/native/request-rules.ts'
import { canonicalTarget } from '../../wire/target.ts'
import type { CheckName } from '../check-names.ts'
import { FIELD_RULES } from '../fields.ts'

/** The head of a request that was not made, as the gateway would read it. */
export interface ExplainedHead {
  readonly path: string
  readonly query: string
  readonly host: string
  /** As in `Exchange`; empty and undefined where no header lines were given. */
  readonly pass: string
  readonly withheld: string
  readonly taken: readonly (string | undefined)[]
  readonly bodyBytes: number
  readonly upgrade: boolean
}

export interface UnreadableHead {
  readonly code: RefusalCode
  readonly check: CheckName
  readonly reason: string
}

/** Reads target and header lines by the rules of the wire; without header lines, the target alone. */
export function readHead(asked: Hypothetical): ExplainedHead | UnreadableHead {
  return asked.headers === null ? readTarget(asked) : readLines(asked, asked.headers)
}

const notCanonical = (reason: string): UnreadableHead => ({
  code: 'request_not_canonical',
  check: 'canonical',
  reason,
})

const ABSOLUTE = /^https?:\/\/(?<authority>[^/?#]*)(?<rest>.*)$/i

function readTarget(asked: Hypothetical): ExplainedHead | UnreadableHead {
  const { authority = '', rest = asked.url } = ABSOLUTE.exec(asked.url)?.groups ?? {}
  const sent = asked.host ?? authority
  const host = sent === '' ? '' : canonicalAuthority(sent)
  if (host === null) return notCanonical('the host is no authority')
  const canonical = canonicalTarget(rest.startsWith('/') ? rest : `/${rest}`)
  if (canonical === null)
    return notCanonical(
      'the path or query can be read in two ways: dot or empty segments, an escaped slash, a control character or the like',
    )
  return { ...canonical, host, pass: '', withheld: '', taken: [], bodyBytes: 0, upgrade: false }
}

/** Stands for a host that was not said; no collection names it. */
const UNNAMED = 'unnamed.invalid'

function readLines(asked: Hypothetical, lines: readonly string[]): ExplainedHead | UnreadableHead {
  const sent = asked.host ?? ABSOLUTE.exec(asked.url)?.[1] ?? null
  const isNamed = lines.some((line) => /^host:/i.test(line))
  const host = sent !== null ? [`Host: ${sent}`] : isNamed ? [] : [`Host: ${UNNAMED}`]
  const text = [`${asked.method} ${asked.url} HTTP/1.1`, ...host, ...lines, ''].join('\r\n')
  const bytes = Buffer.from(text)
  if (bytes.length > DEFAULT_LIMITS.headBytesMax)
    return { code: 'headers_too_large', check: 'wire', reason: 'the head is too long' }
  const head = new RequestHead(compileRules(FIELD_RULES), DEFAULT_LIMITS)
  const code = head.parse(bytes, 0, bytes.length)
  if (code === 'request_not_canonical') return notCanonical(head.inner)
  if (code !== null) return { code, check: 'wire', reason: head.inner }
  return {
    path: head.path,
    query: head.query,
    host: head.host === UNNAMED ? '' : head.host,
    pass: head.pass,
    withheld: head.withheld,
    taken: head.taken,
    bodyBytes: head.bodyBytes,
    upgrade: head.upgrade,
  }
}
