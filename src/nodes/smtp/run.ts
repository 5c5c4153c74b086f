import { randomUUID } from 'node:crypto'
import type { Plain } from '../../base/json/storable.ts'
import { boundValues, NodeFailure, type NodeRun, placeOf } from '../run.ts'

const RECIPIENTS_MAX = 50
const SUBJECT_CHARS_MAX = 500

export const smtpRun: NodeRun = {
  name: 'smtp_node',
  inTrial: { outputs: { id: '' } },
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

// Messages as RFC 5322 and MIME (RFC 2045, RFC 2047) have them. Bodies are in base64, so no line of them has a meaning.

interface Mail {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly from: string
  /** Empty for none. */
  readonly fromName: string
  readonly to: readonly string[]
  readonly cc: readonly string[]
  readonly replyTo: string | null
  readonly subject: string
  readonly text: string | null
  readonly html: string | null
}

/** The message, without its last line break. Its texts must have no control characters, but for those of the bodies. */
function messageOf({ id, at, from, fromName, to, cc, replyTo, subject, text, html }: Mail): string {
  const bodies = [
    ...(text === null ? [] : [['plain', text] as const]),
    ...(html === null ? [] : [['html', html] as const]),
  ]
  const boundary = `=_${id.replace(/[^A-Za-z0-9]/g, '').slice(0, 48)}`
  const [only] = bodies
  return [
    `Date: ${new Date(at).toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: ${id}`,
    `From: ${fromName === '' ? from : `${encodedWords(fromName)}\r\n <${from}>`}`,
    ...(to.length === 0 ? [] : [`To: ${to.join(',\r\n ')}`]),
    ...(cc.length === 0 ? [] : [`Cc: ${cc.join(',\r\n ')}`]),
    ...(replyTo === null ? [] : [`Reply-To: ${replyTo}`]),
    `Subject: ${encodedWords(subject)}`,
    'MIME-Version: 1.0',
    ...(bodies.length === 1
      ? part(only![0], only![1])
      : [
          `Content-Type: multipart/alternative; boundary="${boundary}"`,
          '',
          ...bodies.flatMap(([type, body]) => [`--${boundary}`, ...part(type, body)]),
          `--${boundary}--`,
        ]),
  ].join('\r\n')
}

function part(type: 'plain' | 'html', body: string): string[] {
  const lines =
    Buffer.from(body)
      .toString('base64')
      .match(/.{1,76}/g) ?? []
  return [`Content-Type: text/${type}; charset=utf-8`, 'Content-Transfer-Encoding: base64', '', ...lines]
}

/** Bytes of UTF-8 in one encoded word: a line with `Subject: ` before it has at most 76 characters (RFC 2047 section 2). */
const WORD_BYTES_MAX = 39

/** A text for a header: always encoded, so that no character of it has a meaning there. */
function encodedWords(text: string): string {
  const words: string[] = []
  let word = ''
  for (const char of text) {
    if (Buffer.byteLength(word + char) > WORD_BYTES_MAX) {
      words.push(word)
      word = ''
    }
    word += char
  }
  words.push(word)
  return words.map((one) => `=?UTF-8?B?${Buffer.from(one).toString('base64')}?=`).join('\r\n ')
}

/** `local@domain`, as RFC 5321 has it without quotes: no character of it ends a line, a path or a list. */
const ADDRESS =
  /^(?=.{3,254}$)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/

/** True for an e-mail address in ASCII. */
export function isAddress(text: string): boolean {
  return ADDRESS.test(text)
}
