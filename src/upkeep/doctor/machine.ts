/** Checks Node, disk, directory, key file and certificates. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { faultOfAccess } from '../../base/files.ts'
import { CannotStart } from '../../base/refusal.ts'
import type { Settings, TlsFiles } from '../../settings.ts'
import type { StorePlaces } from '../../store/ports/places.ts'
import type { Finding } from '../../surfaces/cli/ports.ts'
import { loadKeys } from '../../vault/keys.ts'
import { isInside } from '../key-place.ts'
import { isDataDirectory } from '../moved.ts'

/** As `engines` in package.json. */
const NODE_MIN = [24, 11] as const
const MIB = 1024 ** 2
const DISK_FAIL = 100 * MIB
const DISK_WARN = 1024 * MIB
const DAY_MS = 24 * 60 * 60 * 1000
/** A certificate is told of so long before it ends. */
const EXPIRY_WARN_MS = 14 * DAY_MS
/** Nothing was written by this version before it was made. */
const CLOCK_MIN_MS = Date.UTC(2026, 0, 1)

/** Where the key of a data directory is. */
export function keyFileOf({ keyFile, data }: Settings): string {
  return keyFile ?? join(data, 'vault.key')
}

/** Whether this Node is one that is supported. */
export function findNode(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isNew = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])
  return {
    check: 'Node.js',
    state: isNew ? 'ok' : 'fail',
    found: version,
    fix: isNew ? null : `Install Node.js ${NODE_MIN.join('.')} or later.`,
  }
}

/** Whether the data directory is there, writable and private. */
export function findDirectory({ data }: Settings): Finding[] {
  const check = 'data directory'
  if (!existsSync(data))
    return [{ check, state: 'warn', found: `${data} does not exist yet`, fix: 'postern up creates it.' }]
  const fault = faultOfAccess(data, 'write')
  if (fault !== null) {
    const found = `${fault.found}. Postern would start with the last known configuration from serving.db, and nothing could be changed`
    return [{ check, state: 'fail', found, fix: `${fault.fix}. Then start again.` }]
  }
  const mode = statSync(data).mode & 0o777
  if ((mode & 0o077) === 0 || process.platform === 'win32')
    return [{ check, state: 'ok', found: `${data}, accessible only to its owner`, fix: null }]
  const found = `${data} is accessible to other users (mode ${mode.toString(8)})`
  return [{ check, state: 'warn', found, fix: `chmod 700 ${data}` }]
}

/** Whether the disk has room for what is written. */
export function findDisk({ data }: Settings): Finding[] {
  if (!existsSync(data)) return []
  const { bavail, bsize } = statfsSync(data)
  return [diskFinding(bavail * bsize)]
}

/** @param bytes that are free. */
export function diskFinding(bytes: number): Finding {
  return {
    check: 'disk space',
    state: bytes < DISK_FAIL ? 'fail' : bytes < DISK_WARN ? 'warn' : 'ok',
    found: `${Math.floor(bytes / MIB)} MiB free`,
    fix: bytes < DISK_WARN ? 'Free disk space. Postern refuses changes that it cannot write.' : null,
  }
}

/** Whether the key file is there, only its owner reads it, and it lies apart from the data. */
export function findKeyFile(places: StorePlaces, settings: Settings): Finding[] {
  const check = 'key file'
  const file = keyFileOf(settings)
  if (!existsSync(file) && !isDataDirectory(settings.data, places))
    return [{ check, state: 'ok', found: 'created at the first start', fix: null }]
  try {
    const { keys } = loadKeys(file, false)
    const found = `${file} contains ${keys.length === 1 ? '1 key' : `${keys.length} keys`}`
    if (!isInside(file, settings.data)) return [{ check, state: 'ok', found, fix: null }]
    const fix =
      'A program that can write the data can often read the key there, and could forge the audit trail. Keep the key elsewhere, and name it with POSTERN_KEY_FILE.'
    return [{ check, state: 'warn', found: `${found} and is in the data directory`, fix }]
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error
    return [{ check, state: 'fail', found: error.message, fix: 'See docs/keys.md.' }]
  }
}

/** Whether each certificate can be read, has its key, and is in its time. */
export function findTls({ tls }: Settings): Finding[] {
  return tls.map((files) => tlsFinding(files, Date.now()))
}

/** What is to say of a certificate and its key at a time. */
export function tlsFinding({ certificate, key }: TlsFiles, now: number): Finding {
  const check = `TLS certificate ${certificate}`
  let read: X509Certificate
  try {
    read = new X509Certificate(readFileSync(certificate))
    if (!read.checkPrivateKey(createPrivateKey(readFileSync(key))))
      return {
        check,
        state: 'fail',
        found: `${key} is not the key of the certificate`,
        fix: 'Set the certificate and its key.',
      }
  } catch (error) {
    const fix = 'Set files in PEM that this user can read.'
    return { check, state: 'fail', found: (error as Error).message, fix }
  }
  const rest = Date.parse(read.validTo) - now
  const found = `ends ${new Date(read.validTo).toISOString()}`
  if (Date.parse(read.validFrom) > now)
    return {
      check,
      state: 'fail',
      found: `is not valid before ${new Date(read.validFrom).toISOString()}`,
      fix: 'Check the clock of this machine.',
    }
  if (rest <= 0)
    return {
      check,
      state: 'fail',
      found,
      fix: 'Replace it. A running instance loads the new file by itself.',
    }
  if (rest < EXPIRY_WARN_MS) return { check, state: 'warn', found, fix: 'Replace it before it expires.' }
  return { check, state: 'ok', found, fix: null }
}

export function findClock(): Finding[] {
  return [clockFinding(Date.now())]
}

/** Whether a time can be that of today. */
export function clockFinding(now: number): Finding {
  const isSane = now > CLOCK_MIN_MS
  return {
    check: 'clock',
    state: isSane ? 'ok' : 'fail',
    found: new Date(now).toISOString(),
    fix: isSane ? null : 'Set the clock of this machine, because tokens and certificates depend on it.',
  }
}
