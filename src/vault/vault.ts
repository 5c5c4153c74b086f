/** The master keys and the keys derived from them. */
import { createHmac, hkdfSync } from 'node:crypto'
import { Secret } from '../base/crypto/token.ts'
import { type OwnedBytes, ownedBytes } from '../base/memory/bytes.ts'
import {
  type KeyRing,
  type KeyRingFile,
  keyIdOf,
  LASTING,
  type Lasting,
  type MasterKey,
  makeKey,
  seal,
  unseal,
} from './keys.ts'

/** What the control plane does with the master keys. */
export interface Vault {
  /** Seals a secret of a credential for one field of one resource. */
  seal(secret: Secret, owner: string, field: string): string
  open(sealed: string, owner: string, field: string): Secret
  /** Seals the arguments of a change request with a key that no gateway thread has. */
  sealArguments(text: Secret, request: string): string
  /**
   * Opens what {@link Vault.sealArguments} has sealed, and what older versions sealed as a secret of a credential. Throws
   * when no key opens it.
   */
  openArguments(sealed: string, request: string): Secret
  /** True when the first key has sealed it as arguments, so that no other key need be kept for it. */
  areArgumentsCurrent(sealed: string, request: string): boolean
  /** A keyed hash: tells equal texts apart from others without storing anything one could guess them from. */
  fingerprint(text: string): string
  /**
   * A sealed known text; {@link Vault.opensCanary} proves later that the keys are those of the data.
   * @param isOfOlder made before the audit trail had keyed links, as by older versions
   */
  canary(isOfOlder?: boolean): string
  opensCanary(sealed: string): boolean
  /** True for a canary of a data directory whose audit trail has keyed links. Nobody makes one without the key. */
  saysKeyed(sealed: string): boolean
  /** Derived keys for gateway threads: they open secrets of credentials, nothing else. For `createOpener`. */
  gatewayKey(): OwnedBytes
  /** 32 bytes that seal MCP session ids; the same in every thread, and after a restart or a new key. */
  sessionKey(): OwnedBytes
  /** 32 bytes from which the key that signs checkpoints of the audit trail is made; lasting, as that of sessions. */
  trailKey(): Uint8Array
  /** 32 bytes that seal what the authorization server keeps; lasting, as that of sessions. */
  oauthKey(): Uint8Array
  /** 32 bytes that seal answers which are kept for an idempotency key; lasting, as that of sessions. */
  answersKey(): Uint8Array
  /** 32 bytes that seal what one-time links, and sign-ins under way, lead to; lasting, as that of sessions. */
  linksKey(): Uint8Array
  /** 32 bytes that seal what nodes tell each other; lasting, as that of sessions. */
  eventsKey(): Uint8Array
  /** Derived bytes for the prints of tokens that other gateways have issued (`printOfImported`); lasting, as that of sessions. */
  importedKey(): OwnedBytes
  /** The keys there are; the first seals. */
  keys(): readonly KeyFacts[]
  /** True when the first key has sealed it, and no other need be kept for it. */
  isCurrent(sealed: string): boolean
  /** Makes a key that seals from now on, on disk when it returns; those before still open. Throws a CannotRotate. */
  addKey(): void
  /** Forgets keys, on disk when it returns. The first one stays. Throws a CannotRotate. */
  dropKeys(ids: readonly string[]): void
  /** Told when the keys have changed, before anything is sealed with a new one. */
  watch(changed: () => void): void
}

interface KeyFacts {
  readonly id: string
  /** Of the key itself: tells whether two files hold the same one. */
  readonly fingerprint: string
}

/** Where the keys are kept. */
export interface KeyStore {
  /** As they are kept now, which people may have changed by hand. */
  load(): KeyRingFile
  save(ring: KeyRingFile): void
}

/** The keys cannot be changed. The message names the file and the fix. */
export class CannotRotate extends Error {
  override readonly name = 'CannotRotate'
}

const CANARY = 'postern'
/** The field that arguments of change requests are sealed for. */
const ARGUMENTS = 'arguments'
/** Of a data directory whose audit trail has keyed links. */
const KEYED_CANARY = 'postern: keyed audit trail'

const PURPOSES: Readonly<Record<Lasting, string>> = {
  fingerprint: 'fingerprint',
  'mcp-sessions': 'mcp sessions',
}

/** A vault over a key ring; the first key seals. Each purpose has its own keys, derived by HKDF (RFC 5869). */
export function createVault(ring: KeyRingFile, store: KeyStore): Vault {
  const lasting = lastingOf(ring)
  let keys = ring.keys
  let credentials = derive(keys, 'credentials')
  let requests = derive(keys, 'change requests')
  let canaries = derive(keys, 'canary')
  let facts = factsOf(keys)
  let changed = (): void => {}

  function change(to: (kept: readonly MasterKey[]) => readonly MasterKey[]): void {
    const kept = store.load()
    const missing = keys.find(({ id }) => !kept.keys.some((key) => key.id === id))
    if (missing !== undefined)
      throw new CannotRotate(
        `The key file no longer contains the key ${missing.id}. Restore the key in the file.`,
      )
    const next = to(kept.keys)
    store.save({ keys: next, lasting })
    keys = next
    credentials = derive(keys, 'credentials')
    requests = derive(keys, 'change requests')
    canaries = derive(keys, 'canary')
    facts = factsOf(keys)
    changed()
  }

  /** Arguments by the ring of their own; null where that does not open them. */
  function openedArguments(sealed: string, request: string): Secret | null {
    try {
      return new Secret(unseal(requests, sealed, request, ARGUMENTS))
    } catch {
      return null
    }
  }

  /** The known text; empty where it does not open, for whatever reason: these are not the keys. */
  function opened(sealed: string): string {
    try {
      return unseal(canaries, sealed, 'meta', 'canary')
    } catch {
      return ''
    }
  }

  return {
    seal: (secret, owner, field) => seal(credentials, secret.reveal(), owner, field),
    open: (sealed, owner, field) => new Secret(unseal(credentials, sealed, owner, field)),
    sealArguments: (text, request) => seal(requests, text.reveal(), request, ARGUMENTS),
    openArguments: (sealed, request) =>
      openedArguments(sealed, request) ?? new Secret(unseal(credentials, sealed, request, ARGUMENTS)),
    areArgumentsCurrent: (sealed, request) =>
      keyIdOf(sealed) === keys[0]!.id && openedArguments(sealed, request) !== null,
    fingerprint: (text) => createHmac('sha256', lasting.get('fingerprint')!).update(text).digest('base64url'),
    canary: (isOfOlder = false) => seal(canaries, isOfOlder ? CANARY : KEYED_CANARY, 'meta', 'canary'),
    opensCanary: (sealed) => [CANARY, KEYED_CANARY].includes(opened(sealed)),
    saysKeyed: (sealed) => opened(sealed) === KEYED_CANARY,
    gatewayKey: () => packRing(credentials),
    sessionKey: () => ownedBytes(lasting.get('mcp-sessions')!),
    trailKey: () =>
      new Uint8Array(hkdfSync('sha256', lasting.get('fingerprint')!, '', 'postern audit checkpoints', 32)),
    oauthKey: () =>
      new Uint8Array(hkdfSync('sha256', lasting.get('fingerprint')!, '', 'postern authorization server', 32)),
    answersKey: () =>
      new Uint8Array(hkdfSync('sha256', lasting.get('fingerprint')!, '', 'postern kept answers', 32)),
    linksKey: () => new Uint8Array(hkdfSync('sha256', lasting.get('fingerprint')!, '', 'postern links', 32)),
    eventsKey: () =>
      new Uint8Array(hkdfSync('sha256', lasting.get('fingerprint')!, '', 'postern events', 32)),
    importedKey: () =>
      ownedBytes(
        new Uint8Array(hkdfSync('sha256', lasting.get('fingerprint')!, '', 'postern imported tokens', 32)),
      ),
    keys: () => facts,
    isCurrent: (sealed) => keyIdOf(sealed) === keys[0]!.id,
    addKey: () => change((kept) => [makeKey(), ...kept]),
    dropKeys: (ids) => change(([first, ...rest]) => [first!, ...rest.filter(({ id }) => !ids.includes(id))]),
    watch(tell) {
      changed = tell
    },
  }
}

/** The lasting values: as they are kept, or what the oldest key gives. */
function lastingOf({ keys, lasting }: KeyRingFile): ReadonlyMap<Lasting, Uint8Array> {
  return new Map(
    LASTING.map((name) => [
      name,
      lasting.get(name) ?? [...derive(keys.slice(-1), PURPOSES[name]).values()][0]!,
    ]),
  )
}

function factsOf(keys: readonly MasterKey[]): KeyFacts[] {
  return [...derive(keys, 'key fingerprint')].map(([id, bytes]) => ({
    id,
    fingerprint: Buffer.from(bytes.subarray(0, 8)).toString('hex'),
  }))
}

function derive(masterKeys: readonly MasterKey[], purpose: string): KeyRing {
  return new Map(
    masterKeys.map((key) => [
      key.id,
      new Uint8Array(hkdfSync('sha256', key.bytes, '', `postern ${purpose}`, 32)),
    ]),
  )
}

// Opens credential secrets in gateway threads.

/** Opens a sealed secret of a credential. Throws when it cannot be opened. */
export type Opener = (sealed: string, owner: string, field: string) => Secret

const ID_BYTES = 16
const KEY_BYTES = 32

/** The opener of a gateway thread, from the derived keys that `vault.gatewayKey()` gave. */
export function createOpener(derivedKey: Uint8Array): Opener {
  const ring = unpackRing(derivedKey)
  return (sealed, owner, field) => new Secret(unseal(ring, sealed, owner, field))
}

/** A key ring as bytes that survive a message to a thread: 16 bytes of id, padded with zeros, then 32 of key. */
function packRing(ring: KeyRing): OwnedBytes {
  const bytes = new Uint8Array(ring.size * (ID_BYTES + KEY_BYTES))
  let at = 0
  for (const [id, key] of ring) {
    bytes.set(Buffer.from(id), at)
    bytes.set(key, at + ID_BYTES)
    at += ID_BYTES + KEY_BYTES
  }
  return ownedBytes(bytes)
}

function unpackRing(bytes: Uint8Array): KeyRing {
  const ring = new Map<string, Uint8Array>()
  for (let at = 0; at < bytes.length; at += ID_BYTES + KEY_BYTES) {
    const id = Buffer.from(bytes.subarray(at, at + ID_BYTES))
      .toString('latin1')
      .replace(/\0+$/, '')
    ring.set(id, bytes.slice(at + ID_BYTES, at + ID_BYTES + KEY_BYTES))
  }
  return ring
}
