/** Where `postern runner` listens, as the setting `POSTERN_RUNNER` names it. The configuration cannot name it: only an operator can. */
import { isRefusedHost } from './address.ts'

/** Plain data, which all threads get. */
export interface RunnerAddress {
  /** As the setting has it, for people. */
  readonly text: string
  readonly address: { readonly socketPath: string } | { readonly host: string; readonly port: number }
  readonly isTls: boolean
  /** Value of the Host field. */
  readonly authority: string
}

/** The address with the token that Postern sends to it; empty for none. */
export interface RunnerPlace extends RunnerAddress {
  readonly token: string
}

/** sockaddr_un of macOS holds 104 bytes, with a final NUL. */
const SOCKET_BYTES_MAX = 103

/** Reads `unix:/path` or `http(s)://host:port`; null for anything else, and for a link-local or metadata address. */
export function toRunnerAddress(text: string): RunnerAddress | null {
  if (text.startsWith('unix:')) {
    const socketPath = text.slice('unix:'.length)
    const isPath = socketPath.startsWith('/') && !/\p{Cc}/u.test(socketPath)
    if (!isPath || Buffer.byteLength(socketPath) > SOCKET_BYTES_MAX) return null
    return { text, address: { socketPath }, isTls: false, authority: 'localhost' }
  }
  if (!/^https?:\/\/[A-Za-z0-9._:[\]-]+\/?$/.test(text) || !URL.canParse(text)) return null
  const url = new URL(text)
  const isTls = url.protocol === 'https:'
  if (url.username !== '' || isRefusedHost(url.hostname)) return null
  return {
    text,
    address: {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    },
    isTls,
    authority: url.host,
  }
}

/** JSON-RPC code of every error that `postern runner` makes itself, outside of the range that JSON-RPC reserves. */
export const RUNNER_ERROR = -31_000
