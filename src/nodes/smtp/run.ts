import { randomUUID } from 'node:crypto'
import type { Plain } from '../../base/json/plain.ts'
import { NodeFailure, type NodeRun } from '../run.ts'
import { boundValues, placeOf } from '../service-question.ts'
import { isAddress } from './address.ts'
import { messageOf } from './message.ts'

const RECIPIENTS_MAX = 50
const SUBJECT_CHARS_MAX = 500

export const smtpRun: NodeRun = {
  name: 'smtp_node',
  link(config) {
    const place = placeOf(config)
    const { from: sender, from_name, starttls } = config
    const from = String(sender)
    const fromName = String(from_name)
    const domain = from.slice(from.indexOf('@') + 1)
    return async (inputs, { askService, ambient }) => {
      const [to, cc, bcc] = [addresses(inputs, 'to'), addresses(inputs, 'cc'), addresses(inputs, 'bcc')]
      const recipients = [...new Set([...to, ...cc, ...bcc])]
      if (recipients.length === 0 || recipients.length > RECIPIENTS_MAX)
        throw new NodeFailure(
          'to',
          `there are ${recipients.length} recipients, and 1 to ${RECIPIENTS_MAX} are allowed`,
        )
      const [text, html] = [bodyOf(inputs, 'text'), bodyOf(inputs, 'html')]
      if (text === null && html === null) throw new NodeFailure('text', 'there is neither text nor html')
      boundValues([text, html])
      const [replyTo = null] = addresses(inputs, 'reply_to')
      const id = `<${randomUUID()}@${domain}>`
      const subject = subjectOf(inputs)
      const message = messageOf({
        id,
        at: ambient.now(),
        from,
        fromName,
        to,
        cc,
        replyTo,
        subject,
        text,
        html,
      })
      const work = { service: 'smtp', starttls: starttls !== false, from, recipients, message } as const
      await askService({ ...place, work })
      return { handle: 'default', outputs: { id } }
    }
  },
}

/** @throws NodeFailure for what is no address: the message has no value */
function addresses(inputs: Plain, name: 'to' | 'cc' | 'bcc' | 'reply_to'): readonly string[] {
  const given = inputs[name] ?? []
  const list: readonly unknown[] = Array.isArray(given) ? given : [given]
  if (list.length > RECIPIENTS_MAX)
    throw new NodeFailure(name, `${name} has more than ${RECIPIENTS_MAX} addresses`)
  return list.map((one, index) => {
    if (typeof one === 'string' && isAddress(one)) return one
    throw new NodeFailure(name, `address ${index} of ${name} is no e-mail address`)
  })
}

function bodyOf(inputs: Plain, name: 'text' | 'html'): string | null {
  const body = inputs[name] ?? null
  if (body === null || typeof body === 'string') return body
  throw new NodeFailure(name, `${name} is no text`)
}

function subjectOf({ subject }: Plain): string {
  if (typeof subject !== 'string' || subject.length > SUBJECT_CHARS_MAX || /\p{Cc}/u.test(subject))
    throw new NodeFailure(
      'subject',
      `subject is no text of at most ${SUBJECT_CHARS_MAX} characters without line breaks`,
    )
  return subject
}
