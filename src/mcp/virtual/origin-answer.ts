import { fieldValue } from '../../gateway/header-lines.ts'
import type { InnerAnswer } from '../../gateway/port.ts'
import type { OriginAnswer } from '../origin/send.ts'
import { detailOf } from './origin-stream.ts'

/** The answer of the stages as the client of an origin reads it. */
export function toOriginAnswer({ code, body, status, fields, truncated }: InnerAnswer): OriginAnswer {
  if (code !== null) return { ok: false, reason: detailOf(body), isUnreachable: code.startsWith('upstream_') }
  return { ok: true, status, header: (name) => fieldValue(fields, name), body, truncated }
}
