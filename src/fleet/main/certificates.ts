/**
 * Reads the certificate files in the main thread and hands certificates and shared session ticket keys to the gateway
 * threads. TLS lies below the strict HTTP parser on both listeners. A header of the PROXY protocol is read before TLS
 * starts.
 */
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { readCertificate, readPem } from '../../base/crypto/certificate.ts'
import { isLoopbackHost } from '../../base/net/address.ts'
import { CannotStart } from '../../base/refusal.ts'
import { type SettingName, settingName } from '../../settings/schema.ts'
import type { Settings, TlsFiles } from '../../settings.ts'
import type { TlsOptions } from '../../wire/port.ts'

/** Certificates of a listener, and what happens when their files change. */
export interface WatchedCertificates {
  readonly current: TlsOptions
  /** Looks at the files from now on, and gives what changes. */
  watch(changed: (tls: TlsOptions) => void): void
  reload(): void
  stop(): void
}

/** The settings that name the files of a listener. */
interface Names {
  readonly certificate: SettingName
  readonly key: SettingName
}
const GATEWAY_FILES: Names = { certificate: 'TLS_CERT', key: 'TLS_KEY' }
const CONTROL_FILES: Names = { certificate: 'CONTROL_TLS_CERT', key: 'CONTROL_TLS_KEY' }

const LOOK_MS = 2000
/** Life of the keys of session tickets: what a stolen key opens reaches no further back (RFC 8446 C.4). */
const TICKET_KEYS_MS = 12 * 60 * 60 * 1000

/** Certificates of the two listeners; null for one that speaks no TLS. */
export type Certificates = Readonly<Record<'gateway' | 'control', WatchedCertificates | null>>

/** Reads the certificates of the listeners that speak TLS. Throws CannotStart as {@link createCertificates}. */
export function openCertificates(
  {
    tls,
    controlTls,
    controlListen,
    clientAuthorities,
  }: Pick<Settings, 'tls' | 'controlTls' | 'controlListen' | 'clientAuthorities'>,
  log: (level: 'info' | 'warn' | 'error', message: string) => void,
): Certificates {
  if (controlTls.length === 0 && !isLoopbackHost(controlListen.host))
    log(
      'warn',
      `${settingName('CONTROL_LISTEN')} ${controlListen.host} is not a loopback address, and the control listener speaks no TLS: access tokens can be read on the network. Set ${settingName('CONTROL_TLS_CERT')} and ${settingName('CONTROL_TLS_KEY')}.`,
    )
  return {
    gateway: tls.length === 0 ? null : createCertificates(tls, clientAuthorities, log, GATEWAY_FILES),
    control: controlTls.length === 0 ? null : createCertificates(controlTls, null, log, CONTROL_FILES),
  }
}

/** Reads the files. Throws CannotStart with one sentence that names the file at fault. */
export function createCertificates(
  files: readonly TlsFiles[],
  authorities: string | null,
  log: (level: 'info' | 'error', message: string) => void,
  names: Names = GATEWAY_FILES,
): WatchedCertificates {
  const paths = [
    ...files.flatMap(({ certificate, key }) => [certificate, key]),
    ...(authorities === null ? [] : [authorities]),
  ]
  const read = (): Omit<TlsOptions, 'ticketKeys'> => ({
    pairs: files.map((pair) => readPair(pair, names)),
    clientAuthorities: authorities === null ? null : readAuthorities(authorities),
  })
  let current: TlsOptions = { ...read(), ticketKeys: randomBytes(48) }
  const expired = expiredOf(files, current, names)
  if (expired !== null) log('error', expired)
  let seen = signature(paths)
  let tell: ((tls: TlsOptions) => void) | null = null
  const timers: NodeJS.Timeout[] = []

  function put(tls: TlsOptions): void {
    current = tls
    tell?.(tls)
  }

  function reload(): void {
    seen = signature(paths)
    try {
      const next = { ...current, ...read() }
      const fault = expiredOf(files, next, names)
      if (fault !== null) throw new Error(fault)
      put(next)
      log(
        'info',
        `${settingName(names.certificate)}: ${files.length === 1 ? 'the certificate was' : `${files.length} certificates were`} read again`,
      )
    } catch (error) {
      log('error', `${(error as Error).message} The current certificates stay in use.`)
    }
  }

  return {
    get current() {
      return current
    },
    watch(changed) {
      tell = changed
      timers.push(
        setInterval(() => {
          if (signature(paths) !== seen) reload()
        }, LOOK_MS),
        setInterval(() => put({ ...current, ticketKeys: randomBytes(48) }), TICKET_KEYS_MS),
      )
      for (const timer of timers) timer.unref()
    },
    reload,
    stop() {
      for (const timer of timers) clearInterval(timer)
    },
  }
}

/** Changes when a file does, also behind a link that is swapped. */
function signature(paths: readonly string[]): string {
  return paths
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false })
      return stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.mtimeMs}`
    })
    .join('|')
}

/** A sentence that names the first file whose certificate has expired; null when none has. */
function expiredOf(files: readonly TlsFiles[], { pairs }: TlsOptions, names: Names): string | null {
  for (const [index, { certificate }] of pairs.entries()) {
    const { validTo } = new X509Certificate(certificate)
    if (Date.parse(validTo) < Date.now())
      return `${settingName(names.certificate)} ${files[index]!.certificate}: the certificate expired at ${validTo}. Replace it: clients refuse an expired certificate.`
  }
  return null
}

/** SHA-256 fingerprints of the certificates themselves, without their chains. */
export function fingerprintsOf({ pairs }: TlsOptions): string[] {
  return pairs.map(({ certificate }) => new X509Certificate(certificate).fingerprint256)
}

function readPair(files: TlsFiles, names: Names): TlsOptions['pairs'][number] {
  const [certificateName, keyName] = [settingName(names.certificate), settingName(names.key)]
  const certificate = readText(certificateName, files.certificate)
  const key = readText(keyName, files.key)
  const leaf = attempt(() => new X509Certificate(certificate))
  if (leaf === null)
    throw new CannotStart(`${certificateName} ${files.certificate}: the file contains no certificate in PEM.`)
  const secret = attempt(() => createPrivateKey(key))
  if (secret === null)
    throw new CannotStart(
      `${keyName} ${files.key}: the file contains no private key in PEM without a password.`,
    )
  if (!leaf.checkPrivateKey(secret))
    throw new CannotStart(
      `${keyName} ${files.key}: the key does not belong to the certificate in ${files.certificate}.`,
    )
  try {
    createSecureContext({ cert: certificate, key, minVersion: 'TLSv1.2' })
  } catch (error) {
    throw new CannotStart(
      `${certificateName} ${files.certificate}: TLS cannot use it (${(error as Error).message}).`,
      error,
    )
  }
  return { certificate, key }
}

function readAuthorities(path: string): string {
  const text = readText(settingName('TLS_CLIENT_CA'), path)
  const parsed = attempt(() => readPem(text, 'CERTIFICATE').map(readCertificate))
  if (parsed === null || parsed.some(({ ca }) => ca === null))
    throw new CannotStart(
      `${settingName('TLS_CLIENT_CA')} ${path}: the file must contain certificates of authorities in PEM, and no other block.`,
    )
  return text
}

function readText(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason =
      code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'this user may not read it' : code
    throw new CannotStart(`${setting} ${path}: ${reason}.`, error)
  }
}

function attempt<T>(make: () => T): T | null {
  try {
    return make()
  } catch {
    return null
  }
}
