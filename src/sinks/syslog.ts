/**
 * RFC 5424 messages over TCP with octet counting (RFC 6587 section 3.4.1) or over TLS (RFC 5425). The message is JSON, which escapes
 * control characters, so that no field can begin another message. Syslog has no acknowledgement: a batch is accepted once the connection
 * has taken all of it.
 */
import { lookup } from 'node:dns'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { EgressRefusal } from '../base/net/egress.ts'
import type { SinkDestination } from '../model/sink.ts'
import {
  type Batch,
  NotAccepted,
  type Receiver,
  type ReceiverParts,
  type SinkEvent,
  TRY_MS,
} from './receiver.ts'

/** Severity 6: informational. */
const SEVERITY = 6

/** One message with its length before it. @param host of the header: visible ASCII */
export function syslogFrame(
  stream: Batch['stream'],
  { time, json }: SinkEvent,
  facility: number,
  host: string,
): string {
  const head = `<${facility * 8 + SEVERITY}>1 ${new Date(time).toISOString()} ${hostField(host)} postern - ${stream} -`
  const message = `${head} ${json}`
  return `${Buffer.byteLength(message)} ${message}`
}

/** HOSTNAME of RFC 5424: visible ASCII, at most 255. */
function hostField(host: string): string {
  return host.replaceAll(/[^!-~]/g, '').slice(0, 255) || '-'
}

export function createSyslogReceiver(
  { host: named, port, tls, ca_pem, facility }: Extract<SinkDestination, { type: 'syslog' }>,
  { egress, host: own }: Pick<ReceiverParts, 'egress' | 'host'>,
): Receiver {
  const host = named.replace(/^\[(.*)\]$/, '$1')
  let socket: Socket | null = null

  function open(): Socket {
    const to = { host, port, from: 'typed' } as const
    const fault = egress.faultOf(to)
    if (fault !== null) throw new NotAccepted(fault)
    const options = { host, port, lookup: egress.lookup(to, lookup) }
    const opened = tls
      ? connectTls({
          ...options,
          servername: isIP(host) === 0 ? host : '',
          ...(ca_pem === null ? {} : { ca: ca_pem }),
        })
      : connect(options)
    opened.on('close', () => {
      if (socket === opened) socket = null
    })
    // Between batches nobody else hears of it
    opened.on('error', ignore)
    // What a server sends is not read, and does not wait in memory
    opened.resume()
    socket = opened
    return opened
  }

  return {
    send({ stream, events }) {
      return new Promise((done, reject) => {
        let its: Socket
        try {
          its = socket ?? open()
        } catch (error) {
          reject(error)
          return
        }
        const settle = (end: () => void): void => {
          clearTimeout(timer)
          its.off('error', failed)
          its.off('close', ended)
          end()
        }
        const fail = (message: string): void =>
          settle(() => {
            its.destroy()
            if (socket === its) socket = null
            reject(new NotAccepted(message))
          })
        const failed = (error: NodeJS.ErrnoException): void =>
          fail(
            error instanceof EgressRefusal ? error.message : `cannot be reached (${error.code ?? 'error'})`,
          )
        const ended = (): void => fail('the connection was closed')
        const timer = setTimeout(() => fail(`the data was not taken in ${TRY_MS} ms`), TRY_MS)
        its.on('error', failed)
        its.on('close', ended)
        const text = events.map((event) => syslogFrame(stream, event, facility, own)).join('')
        // Called once the operating system has taken all of it
        its.write(text, (error) => {
          if (error == null)
            settle(() => {
              done(`sent ${events.length === 1 ? '1 message' : `${events.length} messages`}`)
            })
        })
      })
    },
    async close() {
      socket?.destroy()
      socket = null
    },
  }
}

const ignore = (): void => {}
