/** A guardrail as it is applied: compiled once for each snapshot, never for a request. */
import { type Act, type Action, compileAction, unchanged } from '../detectors/act.ts'
import { compileDetectors, type Detectors, type Fits, schemaDetectors } from '../detectors/compile.ts'
import type { DetectorName, DetectorSettings, WebhookSettings } from '../detectors/settings.ts'

/** Plain data of which a rule is compiled. */
export interface RuleSettings {
  readonly id: string
  readonly slug: string
  readonly detector: DetectorSettings
  readonly action: RuleAction
  /** For `replace`. */
  readonly text?: string
  /** For `hash`: 16 characters or more. */
  readonly hashKey?: string
  /** Counts what it would do, and changes nothing. */
  readonly isObserved: boolean
  /** A content that the rule cannot look at passes; else it is blocked. */
  readonly passesFailures: boolean
  /** Compressed content is refused; else it is decoded. */
  readonly refusesCompressed: boolean
  /** Bytes of a content that is looked at as a whole: JSON, compressed content once decoded, one event. */
  readonly bytesMax: number
}

/** A rule that is ready for requests. */
export interface Rule extends Omit<RuleSettings, 'detector' | 'text' | 'hashKey'> {
  readonly detector: DetectorName
  readonly detectors: Detectors
  /** Of the detector `size`: bytes of a content, or null. */
  readonly sizeMax: number | null
  /** Of the detector `schema`: judges a value; null for others. */
  readonly fits: Fits | null
  /** Judges a content as a whole, and not its texts. */
  readonly isWhole: boolean
  /** Who finds something; null for what this process finds itself. See `asked.ts`. */
  readonly webhook: WebhookSettings | null
  /** Why the rule can look at nothing; null where it can. A webhook can be used only in what `asked.ts` runs. */
  readonly fault: string | null
  /** What stands in the place of what was found; null for a rule that changes nothing. */
  readonly act: Act | null
  /** Stops what it finds something in. */
  readonly blocks: boolean
}

/**
 * @param fits judges by the schema of the detector `schema`
 * @throws RangeError that names what is wrong: a pattern that is not linear, a key of a hash that is missing
 */
export function compileRule(settings: RuleSettings, fits: Fits | null = null): Rule {
  const { detector, text = '', hashKey: key = '', ...rest } = settings
  const { action, isObserved } = settings
  const isSchema = detector.detector === 'schema'
  if (isSchema !== (fits !== null)) throw new RangeError('its schema is not available')
  const detectors = fits === null ? compileDetectors([detector]) : schemaDetectors(fits)
  const changes = action !== 'block' && action !== 'log'
  const webhook = detector.detector === 'webhook' ? detector : null
  return {
    ...rest,
    detector: detector.detector,
    detectors,
    sizeMax: detector.detector === 'size' ? (detector.bytes ?? null) : null,
    fits,
    isWhole: isSchema || detector.detector === 'size',
    webhook,
    fault: webhook === null ? null : 'the webhook was not called',
    act: changes && !isObserved ? actOf(action, text, key) : null,
    blocks: action === 'block' && !isObserved,
  }
}

function actOf(action: RuleAction, text: string, key: string): Act {
  // The webhook says what stands in the place of a text
  return action === 'decide' ? unchanged : compileAction({ action, text, key } as Action)
}

/** The rules of one leg, in the order in which they act. Never empty. */
export type Chain = readonly Rule[]

// Terms of guardrails that rules and administrators share.

/** Where a guardrail looks. */
export const LEGS = ['request', 'response', 'list'] as const
export type Leg = (typeof LEGS)[number]

/** The secret field of a guardrail: the key of its hashes. */
export const HASH_KEY = 'hash_key'

/** What an enforced guardrail does with what it finds. `log` counts alone, and with `decide` a webhook blocks or changes. */
export const RULE_ACTIONS = ['block', 'redact', 'remove', 'mask', 'hash', 'replace', 'decide', 'log'] as const
export type RuleAction = (typeof RULE_ACTIONS)[number]
