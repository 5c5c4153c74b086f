import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { Issued } from '../certificates.ts'

interface Mail {
  readonly from: string
  readonly to: readonly string[]
  readonly data: string
  readonly isSecure: boolean
  /** User and password; null for none. */
  readonly login: string | null
}

/** A mail server that keeps what it gets: SMTP with STARTTLS or TLS, and AUTH PLAIN or LOGIN. */
export class MailSink {
  readonly mails: Mail[] = []
  /** All commands, with what was sent before TLS. */
  readonly commands: string[] = []
  readonly sockets = new Set<Socket>()
  /** Replies in the place of the usual ones, by the first word of a command; `.` is the end of a message. */
  readonly answers = new Map<string, string>()
  methods = 'PLAIN LOGIN'
  /** Sent together with the reply to STARTTLS: what somebody between could add. */
  injected = ''
  offersTls = true
  readonly #server: Server
  readonly #certificate: Issued
  readonly #isSecure: boolean

  /** @param isSecure TLS with the first byte */
  constructor(certificate: Issued, isSecure = false) {
    this.#certificate = certificate
    this.#isSecure = isSecure
    this.#server = createServer((socket) => {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
      socket.on('error', () => {})
      this.#talk(this.#isSecure ? this.#secured(socket) : socket, this.#isSecure, true)
    })
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server.close()
  }

  #secured(socket: Socket): Socket {
    const { certificate, key } = this.#certificate
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: createSecureContext({ cert: certificate, key }),
    })
    secure.on('error', () => socket.destroy())
    return secure
  }

  #talk(socket: Socket, isSecure: boolean, greets: boolean): void {
    let text = ''
    let from = ''
    let to: string[] = []
    let login: string | null = null
    let step: 'command' | 'data' | 'user' | 'password' = 'command'
    const say = (line: string): void => void socket.write(`${line}\r\n`)
    const heed = (line: string): void => {
      this.commands.push(line)
      const word = line.split(/[ :]/)[0]!.toUpperCase()
      const special = this.answers.get(word)
      if (special !== undefined) say(special)
      else if (step === 'user' || step === 'password') {
        login =
          step === 'user' ? Buffer.from(line, 'base64').toString() : `${login} ${Buffer.from(line, 'base64')}`
        step = step === 'user' ? 'password' : 'command'
        say(step === 'password' ? '334 UGFzc3dvcmQ6' : '235 welcome')
      } else if (word === 'EHLO')
        say(
          `250-sink\r\n250-AUTH ${this.methods}\r\n${!isSecure && this.offersTls ? '250-STARTTLS\r\n' : ''}250 8BITMIME`,
        )
      else if (word === 'STARTTLS') {
        socket.write(`220 go\r\n${this.injected}`)
        socket.removeAllListeners('data')
        this.#talk(this.#secured(socket), true, false)
      } else if (line.startsWith('AUTH PLAIN ')) {
        login = Buffer.from(line.slice(11), 'base64').toString().slice(1).replace('\0', ' ')
        say('235 welcome')
      } else if (line === 'AUTH LOGIN') {
        step = 'user'
        say('334 VXNlcm5hbWU6')
      } else if (word === 'MAIL') {
        from = line
        to = []
        say('250 ok')
      } else if (word === 'RCPT') {
        to.push(line)
        say('250 ok')
      } else if (word === 'DATA') {
        step = 'data'
        say('354 go')
      } else say('502 what')
    }
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1')
      for (;;) {
        const end = text.indexOf(step === 'data' ? '\r\n.\r\n' : '\r\n')
        if (end === -1) return
        const line = text.slice(0, end)
        if (step !== 'data') {
          text = text.slice(end + 2)
          heed(line)
          continue
        }
        text = text.slice(end + 5)
        step = 'command'
        const special = this.answers.get('.')
        if (special === undefined) this.mails.push({ from, to, data: line, isSecure, login })
        say(special ?? '250 kept')
      }
    })
    if (greets) say('220 sink')
  }
}
