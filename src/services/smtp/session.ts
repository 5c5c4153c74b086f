/**
 * The client side of SMTP (RFC 5321), with STARTTLS (RFC 3207) and AUTH (RFC 4954).
 *
 * 1. Nothing that came before TLS counts after it, and a password is sent only once TLS is verified, unless the node has it switched off.
 * 2. A message is sent to all of its recipients or to none.
 */
import type { Socket } from 'node:net'
import type { ServiceLogin, ServiceTask, ServiceWork, Session, SmtpWork } from '../port.ts'
import { CONNECT_MS, type Connect, lost, ServiceFailure, secured } from '../socket.ts'

/** Signs in. Rejects with a ServiceFailure. */
export async function openSmtp(
  { to, login, work }: ServiceTask<SmtpWork>,
  connect: Connect,
  signal: AbortSignal,
): Promise<Session> {
  const both = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)])
  const plain = await connect(to, both)
  let line = new Line(to.tls && !work.starttls ? await secured(plain, to, both) : plain)
  const cancel = (): void => line.end(lost())
  both.addEventListener('abort', cancel, { once: true })
  try {
    const name = nameOf(plain)
    await line.expect(null, [220], 'the connection')
    let offered = await line.expect(`EHLO ${name}`, [250], 'the connection')
    if (to.tls && work.starttls) {
      if (!offers(offered, /^STARTTLS$/i))
        throw new ServiceFailure('connect', 'the server does not offer STARTTLS')
      await line.expect('STARTTLS', [220], 'STARTTLS')
      line = new Line(await secured(line.release(), to, both))
      offered = await line.expect(`EHLO ${name}`, [250], 'the connection')
    }
    if (login !== null) await signIn(line, offered, login)
    return new SmtpSession(line)
  } catch (error) {
    line.end(lost())
    throw error
  } finally {
    both.removeEventListener('abort', cancel)
  }
}

/** An address literal: a server cannot take it for the name of somebody else. */
function nameOf({ localAddress = '127.0.0.1' }: Socket): string {
  return localAddress.includes(':') ? `[IPv6:${localAddress}]` : `[${localAddress}]`
}

function offers({ lines }: SmtpReply, what: RegExp): boolean {
  return lines.some((line) => what.test(line))
}

async function signIn(line: Line, offered: SmtpReply, { username, password }: ServiceLogin): Promise<void> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const what = 'the credential'
  if (offers(offered, /^AUTH\b.*\bPLAIN\b/i)) {
    await line.expect(`AUTH PLAIN ${base64(`\0${username}\0${password}`)}`, [235], what)
    return
  }
  if (!offers(offered, /^AUTH\b.*\bLOGIN\b/i))
    throw new ServiceFailure('login', 'the server offers neither AUTH PLAIN nor AUTH LOGIN')
  await line.expect('AUTH LOGIN', [334], what)
  await line.expect(base64(username), [334], what)
  await line.expect(base64(password), [235], what)
}

/** A connection on which each command has a reply. */
class Line {
  readonly #socket: Socket
  readonly #replies = new SmtpReplies()
  readonly #read = (piece: Buffer): void => this.#take(piece)
  readonly #closed = (): void => this.end(lost())
  #waiting: {
    readonly resolve: (reply: SmtpReply) => void
    readonly reject: (error: unknown) => void
  } | null = null
  /** A reply that came before anybody waited for it: the greeting. */
  #early: SmtpReply | null = null

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', this.#read)
    socket.on('close', this.#closed)
  }

  get isOpen(): boolean {
    return this.#socket.writable && this.#waiting === null
  }

  /** Sends a command, or nothing with null. @throws ServiceFailure for a reply with another code */
  async expect(command: string | null, codes: readonly number[], what: string): Promise<SmtpReply> {
    const reply = await this.#ask(command)
    if (codes.includes(reply.code)) return reply
    const kind = what === 'the credential' || reply.code === 530 ? 'login' : String(reply.code)
    throw new ServiceFailure(kind, `the mail server refused ${what} (${reply.code})`)
  }

  /** The socket, for TLS. @throws ServiceFailure if the server has sent more than its reply */
  release(): Socket {
    if (!this.#replies.isEmpty || this.#early !== null) throw lost()
    this.#socket.off('data', this.#read)
    this.#socket.off('close', this.#closed)
    return this.#socket
  }

  end(error: unknown): void {
    const waiting = this.#waiting
    this.#waiting = null
    this.#socket.destroy()
    waiting?.reject(error)
  }

  #ask(command: string | null): Promise<SmtpReply> {
    return new Promise((resolve, reject) => {
      const early = this.#early
      if (command === null && early !== null) {
        this.#early = null
        resolve(early)
      } else if (!this.isOpen) reject(lost())
      else {
        this.#waiting = { resolve, reject }
        if (command !== null) this.#socket.write(`${command}\r\n`)
      }
    })
  }

  #take(piece: Buffer): void {
    try {
      const reply = this.#replies.take(piece)
      if (reply === undefined) return
      const waiting = this.#waiting
      if (waiting === null) {
        if (this.#early !== null) throw lost()
        this.#early = reply
        return
      }
      this.#waiting = null
      waiting.resolve(reply)
    } catch (error) {
      this.end(error)
    }
  }
}

class SmtpSession implements Session {
  readonly #line: Line

  constructor(line: Line) {
    this.#line = line
  }

  get isOpen(): boolean {
    return this.#line.isOpen
  }

  async ask(work: ServiceWork): Promise<null> {
    const { from, recipients, message } = work as SmtpWork
    const line = this.#line
    try {
      await line.expect(`MAIL FROM:<${from}>`, [250], 'the sender')
      for (const one of recipients) await line.expect(`RCPT TO:<${one}>`, [250, 251], 'a recipient')
      await line.expect('DATA', [354], 'the message')
      await line.expect(`${message}\r\n.`, [250], 'the message')
      return null
    } catch (error) {
      line.end(lost())
      throw error
    }
  }

  cancel(): void {
    this.close()
  }

  close(): void {
    this.#line.end(lost())
  }
}

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
