/**
 * What an address is: of this machine, refused, of the internet, or inside. An address is judged by what it leads to, so
 * that its spelling does not matter: zone identifiers are dropped, an IPv4-mapped address is the IPv4 address, and an
 * IPv6 address that carries an IPv4 address is refused with it.
 */

import { lstatSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { BlockList, isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { replaceOwnFile } from '../files.ts'
import { CannotStart } from '../refusal.ts'

const LOOPBACK = listOf(['127.0.0.0/8', '::1/128'])

/** Link-local addresses, and those where clouds answer with the secrets of the machine; also what is no address of one host. */
const REFUSED = listOf([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '::/128',
  'fe80::/10',
  'fd00:ec2::/32',
  'fd20:ce::254/128',
  'ff00::/8',
])

/** Networks that are no part of the internet, and forms of addresses that can lead into one. */
const INSIDE = listOf([
  '10.0.0.0/8',
  '100.64.0.0/10',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '240.0.0.0/4',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
])

/** All of IPv6 that is given out for the internet (RFC 4291 section 2.5.4). */
const GLOBAL_V6 = listOf(['2000::/3'])
/** Addresses that translators and tunnels turn into IPv4 (RFC 6052, RFC 8215, RFC 4380). */
const NAT64 = listOf(['64:ff9b::/96'])
const NAT64_LOCAL = listOf(['64:ff9b:1::/48'])
const TEREDO = listOf(['2001::/32'])
const SIX_TO_FOUR = listOf(['2002::/16'])
/** `::a.b.c.d` (RFC 4291 section 2.5.5.1) and `::ffff:0:a.b.c.d` (RFC 2765 section 2.1). */
const COMPATIBLE = listOf(['::/96', '::ffff:0:0:0/96'])

/** Names that clouds resolve to such an address. */
const REFUSED_NAMES: ReadonlySet<string> = new Set(['metadata.google.internal', 'metadata'])

/** Networks and addresses, such as `10.0.0.0/8` or `::1`. */
export function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address, prefix] = network.split('/') as [string, string | undefined]
    const version = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    list.addSubnet(address, Number(prefix ?? (version === 'ipv6' ? 128 : 32)), version)
  }
  return list
}

/** The address in its one spelling: without a zone, IPv4-mapped IPv6 as IPv4; null for what is no address. */
export function plainAddress(text: string): string | null {
  const address = text.replace(/%.*$/, '')
  const version = isIP(address)
  if (version !== 6) return version === 4 ? address : null
  const groups = groupsOf(address)
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)
  return isMapped ? ipv4Of(groups, 12) : groups.map((group) => group.toString(16)).join(':')
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  // The parser of URLs writes each form in the same way, with the IPv4 part in hexadecimal
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::')
  const read = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  if (tail === undefined) return read(head)
  const [before, after] = [read(head), read(tail)]
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
}

/** Four bytes of an IPv6 address from `at` on as an IPv4 address. `skipped` is left out: byte 8 of RFC 6052. */
function ipv4Of(groups: readonly number[], at: number, skipped = -1): string {
  const bytes = groups.flatMap((group) => [group >> 8, group & 0xff])
  const taken = bytes.flatMap((byte, index) => (index >= at && index !== skipped ? [byte] : []))
  return taken.slice(0, 4).join('.')
}

/** IPv4 addresses that a plain IPv6 address carries. What lies in 0.0.0.0/8 is no such address. */
function carriedBy(plain: string): string[] {
  const is = (list: BlockList): boolean => list.check(plain, 'ipv6')
  const groups = groupsOf(plain)
  const found: string[] = []
  if (is(NAT64) || is(COMPATIBLE)) found.push(ipv4Of(groups, 12))
  if (is(NAT64_LOCAL))
    found.push(ipv4Of(groups, 6, 8), ipv4Of(groups, 7, 8), ipv4Of(groups, 9), ipv4Of(groups, 12))
  if (is(SIX_TO_FOUR)) found.push(ipv4Of(groups, 2))
  if (is(TEREDO))
    found.push(
      ipv4Of(groups, 4),
      ipv4Of(
        groups.map((group) => group ^ 0xffff),
        12,
      ),
    )
  // ISATAP (RFC 5214 section 6.1)
  if ((groups[4]! & 0xfdff) === 0 && groups[5] === 0x5efe) found.push(ipv4Of(groups, 12))
  return found.filter((address) => !address.startsWith('0.'))
}

/** The address in its one spelling, and the IPv4 addresses that it carries; none for what is no address. */
export function formsOf(address: string): readonly string[] {
  const plain = plainAddress(address)
  if (plain === null) return []
  return isIP(plain) === 6 ? [plain, ...carriedBy(plain)] : [plain]
}

/** True for an address in the list; spellings do not matter. */
export function isListed(list: BlockList, address: string): boolean {
  const plain = plainAddress(address)
  return plain !== null && list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4')
}

/** True for an address of this machine. */
export function isLoopback(address: string): boolean {
  return isListed(LOOPBACK, address)
}

/** True for an address that nothing on behalf of the configuration may connect to. */
export function isRefusedAddress(address: string): boolean {
  return formsOf(address).some((form) => isListed(REFUSED, form))
}

/** True for an address of the internet: not of this machine, nor of a network inside. */
export function isPublicAddress(address: string): boolean {
  const plain = plainAddress(address)
  if (plain === null || isLoopback(plain) || isRefusedAddress(plain) || isListed(INSIDE, plain)) return false
  if (isIP(plain) === 4 || isListed(GLOBAL_V6, plain)) return true
  // Networks without IPv4 reach the whole internet of IPv4 by it
  return isListed(NAT64, plain) && carriedBy(plain).some(isPublicAddress)
}

/** True for the host of a URL that is a literal of this machine, or `localhost`. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || isLoopback(bareHost(hostname))
}

/** True for a URL whose bytes nobody on the way can read: https, or http on this machine. */
export function isSecureUrl({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname))
}

/** True for the host of a URL that is refused as it stands; another name may still resolve to a refused address. */
export function isRefusedHost(hostname: string): boolean {
  const host = bareHost(hostname)
  return isIP(host) === 0 ? REFUSED_NAMES.has(host.toLowerCase().replace(/\.$/, '')) : isRefusedAddress(host)
}

/** The host of a URL without the brackets of IPv6. */
export function bareHost(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

// Where `postern runner` listens, as the setting `POSTERN_RUNNER` names it. The configuration cannot name it: only an operator can.

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

/** sockaddr_un holds 108 bytes on Linux and 104 on macOS, with a final NUL. */
const PATH_BYTES_MAX = 100

/** Gateway threads reach the control plane here. */
export const CONTROL_SOCKET = 'control.sock'
/** The command line of the same user reaches the running process here. */
export const LOCAL_SOCKET = 'local.sock'
/** File in the data directory that names the directory of the sockets where the data directory's own path is too long. */
export const SOCKETS_FILE = 'sockets.at'

const PREFIX = 'postern-'

/** The directory of the private sockets of a running process. */
interface SocketDirectory {
  readonly path: string
  /** Removes it, unless it is the data directory. */
  close(): void
}

/**
 * The directory for the private sockets: the data directory or, where it cannot be written or its path is too
 * long, a new one beside the temporary files, for its owner alone (mode 0700). Its name is random and stands in the data directory, so that no other user can
 * take it before. The caller holds the lock of the data directory. Throws {@link CannotStart}.
 * @param isReadOnly nothing in the data directory may be written or removed, because it cannot be, or another process owns it
 */
export function openSocketDirectory(dataDirectory: string, isReadOnly = false): SocketDirectory {
  const file = resolve(dataDirectory, SOCKETS_FILE)
  if (!isReadOnly) forget(file)
  if (!isReadOnly && fits(dataDirectory)) return { path: resolve(dataDirectory), close() {} }
  const path = mkdtempSync(join(tmpdir(), PREFIX))
  if (!fits(path)) {
    rmSync(path, { recursive: true })
    throw new CannotStart(
      `The paths of the data directory and of ${tmpdir()} are too long for a Unix socket (${PATH_BYTES_MAX} bytes). Set POSTERN_DATA or TMPDIR to a shorter path.`,
    )
  }
  // Without the name the command line finds no socket, and says that nothing runs
  if (isReadOnly) return { path, close: () => removeSockets(path) }
  replaceOwnFile(file, path)
  return { path, close: () => forget(file) }
}

/**
 * Where the socket of that name of a data directory is; null when there is none.
 * @throws Error when it does not belong to the user of the data directory: someone else could answer there.
 */
export function findSocket(dataDirectory: string, name: string): string | null {
  const path = fits(dataDirectory) ? resolve(dataDirectory, name) : namedSocket(dataDirectory, name)
  if (path === null) return null
  const socket = lstatSync(path, { throwIfNoEntry: false })
  if (socket === undefined) return null
  if (!socket.isSocket()) throw new Error(`${path} is not a socket.`)
  if (!isTrusted(socket.uid, dataDirectory))
    throw new Error(`The socket ${path} belongs to another user than the data directory. It is not used.`)
  return path
}

function namedSocket(dataDirectory: string, name: string): string | null {
  const directory = readName(resolve(dataDirectory, SOCKETS_FILE))
  if (directory === null) return null
  const found = lstatSync(directory, { throwIfNoEntry: false })
  if (found === undefined) return null
  if (!found.isDirectory() || (found.mode & 0o077) !== 0 || !isTrusted(found.uid, dataDirectory))
    throw new Error(
      `The directory ${directory} of the sockets is not private to the user of the data directory. It is not used.`,
    )
  return join(directory, name)
}

/** The owner of the data directory, this user, and root, who may do everything. */
function isTrusted(uid: number, dataDirectory: string): boolean {
  // Windows has no such owners
  const own = process.getuid?.()
  return own === undefined || uid === own || uid === 0 || uid === statSync(dataDirectory).uid
}

function fits(directory: string): boolean {
  return Buffer.byteLength(resolve(directory, CONTROL_SOCKET)) <= PATH_BYTES_MAX
}

function readName(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return null
  }
}

/** Removes what a process before has left, if it is one of ours. */
function forget(file: string): void {
  const path = readName(file)
  if (path === null) return
  const found = lstatSync(path, { throwIfNoEntry: false })
  const isOurs =
    found?.isDirectory() === true &&
    dirname(path) === resolve(tmpdir()) &&
    path.startsWith(join(tmpdir(), PREFIX)) &&
    found.uid === (process.getuid?.() ?? found.uid)
  if (isOurs) removeSockets(path)
  rmSync(file, { force: true })
}

function removeSockets(path: string): void {
  for (const name of [CONTROL_SOCKET, LOCAL_SOCKET]) rmSync(join(path, name), { force: true })
  rmSync(path, { recursive: true, force: true })
}
