import { mayFit } from '../../base/json/canonical.ts'
import type { Plain } from '../../base/json/storable.ts'
import {
  type Act,
  type Action,
  actedPaths,
  compileAction,
  compilePaths,
  HASH_KEY_MIN,
  type Hits,
} from '../../detectors/act.ts'
import { compileDetectors } from '../../detectors/compile.ts'
import { actedJson } from '../../detectors/json.ts'
import { type DetectorSettings, NATIONAL_IDS, type PiiKind } from '../../detectors/settings.ts'
import { hasBytes, NodeFailure, type NodeRun, UNREAD_BODY } from '../run.ts'

/** What the definition has parsed, with its defaults. */
interface Config {
  readonly detectors: readonly string[]
  readonly paths: readonly string[]
  readonly action: Action['action']
  readonly text?: string
  readonly names: boolean
}

/** Characters of JSON, as bodies have them at most. */
const CHARS_MAX = 32 * 1024 * 1024

/** The kinds of personal data that a name in `detectors` stands for. */
const PII: Readonly<Record<string, readonly PiiKind[]>> = {
  email: ['email'],
  card: ['card'],
  iban: ['iban'],
  phone: ['phone'],
  ip: ['ip'],
  national_id: NATIONAL_IDS,
}

/**
 * `value` without what the detectors find and what stands at the paths; `hits` counts these by detector and kind, for paths as
 * `{"path": {"/customer/name": 1}}`.
 */
export const redactRun: NodeRun = {
  name: 'redact_node',
  inTrial: 'runs',
  link(config) {
    // The definition beside this file has parsed it
    const {
      detectors: names,
      paths: pointers,
      action,
      text = '',
      names: isOfNames,
    } = config as unknown as Config
    const detectors = compileDetectors(settingsOf(names))
    const paths = compilePaths(pointers)
    const fixed = action === 'hash' ? null : compileAction({ action, text } as Action)
    return (inputs) => {
      const act = fixed ?? hashWith(inputs)
      // One list may stand at many places of a value
      if (!mayFit(inputs['value'], CHARS_MAX))
        throw new NodeFailure('value', `value has more than ${CHARS_MAX} characters of JSON`)
      if (hasBytes(inputs['value'])) throw new NodeFailure('value', UNREADABLE)
      const hits: Hits = {}
      const clean = actedPaths(inputs['value'] ?? null, paths, act, hits)
      return {
        handle: 'default',
        outputs: { value: actedJson(clean, { detectors, act, names: isOfNames }, hits), hits },
      }
    }
  },
}

const UNREADABLE = `value ${UNREAD_BODY}, so it cannot be checked`

/** The key of a hash is an input, so that no secret stands in the definition. */
function hashWith(inputs: Plain): Act {
  const key = inputs['hash_key']
  if (typeof key !== 'string')
    throw new NodeFailure('hash_key', 'hash_key: the action hash needs a text of 16 characters or more')
  if (key.length < HASH_KEY_MIN)
    throw new NodeFailure(
      'hash_key',
      `hash_key: has ${key.length} characters; it needs ${HASH_KEY_MIN} or more`,
    )
  return compileAction({ action: 'hash', key })
}

function settingsOf(names: readonly string[]): DetectorSettings[] {
  const kinds = names.flatMap((name) => PII[name] ?? [])
  const settings: DetectorSettings[] = []
  if (kinds.length > 0) settings.push({ detector: 'pii', kinds })
  if (names.includes('secret')) settings.push({ detector: 'secrets' })
  if (names.includes('injection')) settings.push({ detector: 'injection' })
  return settings
}
