/** Messages as RFC 5322 and MIME (RFC 2045, RFC 2047) have them. Bodies are in base64, so no line of them has a meaning. */

export interface Mail {
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
export function messageOf({ id, at, from, fromName, to, cc, replyTo, subject, text, html }: Mail): string {
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
