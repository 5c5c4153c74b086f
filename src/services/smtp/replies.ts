import { ServiceFailure } from '../failure.ts'

/** A reply of a mail server (RFC 5321 section 4.2): three digits, and the texts of its lines. */
export interface SmtpReply {
  readonly code: number
  readonly lines: readonly string[]
}

/** Bytes of one reply. */
const REPLY_BYTES_MAX = 64 * 1024
const LINE = /^([2-5][0-9]{2})([ -]?)(.*)$/s

/** Reads one reply after another from pieces in which they come. */
export class SmtpReplies {
  #text = ''
  #lines: string[] = []
  #code = 0
  #bytes = 0

  /** True if nothing has come beyond the last reply. */
  get isEmpty(): boolean {
    return this.#text === '' && this.#lines.length === 0
  }

  /**
   * Takes a piece; gives the reply that it completes, if it does.
   * @throws ServiceFailure for what is no reply, one that is too long, and bytes after its end: a server answers what it was asked
   */
  take(piece: Buffer): SmtpReply | undefined {
    this.#bytes += piece.length
    if (this.#bytes > REPLY_BYTES_MAX) throw malformed()
    this.#text += piece.toString('latin1')
    for (;;) {
      const end = this.#text.indexOf('\n')
      if (end === -1) return undefined
      const line = this.#text.slice(0, end).replace(/\r$/, '')
      this.#text = this.#text.slice(end + 1)
      const [, code, separator, rest] = LINE.exec(line) ?? []
      if (code === undefined || (this.#lines.length > 0 && Number(code) !== this.#code)) throw malformed()
      this.#code = Number(code)
      this.#lines.push(rest!)
      if (separator === '-') continue
      if (this.#text !== '') throw malformed()
      const reply = { code: this.#code, lines: this.#lines }
      this.#lines = []
      this.#bytes = 0
      return reply
    }
  }
}

function malformed(): ServiceFailure {
  return new ServiceFailure('connect', 'the server does not speak SMTP')
}
