/**
 * The settings of detectors: plain data, as a rule or a node stores them. `compile.ts` makes detectors of them, once for each
 * snapshot.
 */

export const NATIONAL_IDS = [
  'us_ssn',
  'uk_nino',
  'de_tax_id',
  'fr_nir',
  'es_dni',
  'it_codice_fiscale',
  'nl_bsn',
  'pl_pesel',
  'se_personnummer',
  'br_cpf',
  'in_aadhaar',
] as const

export const PII_KINDS = ['card', 'iban', 'email', 'phone', 'ip', ...NATIONAL_IDS] as const
export type PiiKind = (typeof PII_KINDS)[number]

export const SECRET_KINDS = [
  'postern',
  'aws',
  'google',
  'azure',
  'github',
  'gitlab',
  'slack',
  'stripe',
  'openai',
  'anthropic',
  'vendor',
  'jwt',
  'private_key',
  'connection_string',
  'named',
] as const
export type SecretKind = (typeof SECRET_KINDS)[number]

export const INJECTION_KINDS = [
  'instruction',
  'tool_instruction',
  'hidden_text',
  'exfiltration_link',
] as const
export type InjectionKind = (typeof INJECTION_KINDS)[number]

/** A built-in kind, under the detector that finds it. */
export type BuiltInKind = PiiKind | SecretKind | InjectionKind

/** A pattern of an administrator: an ECMA-262 expression as far as it is regular (`base/text/patterns.ts`). */
export interface NamedPattern {
  /** Under which spans and counts name what it finds. */
  readonly kind: string
  readonly pattern: string
}

interface Selected<Kind> {
  /** Absent: all kinds. */
  readonly kinds?: readonly Kind[]
  /** From 0 to 1; what is found with less confidence is not reported. 0.5 where absent. */
  readonly threshold?: number
  /** Texts that are never reported, such as a support address. Compared as a whole, in any case of letters. */
  readonly allow?: readonly string[]
}

export type DetectorSettings =
  | { readonly detector: 'regex'; readonly patterns: readonly NamedPattern[] }
  | ({ readonly detector: 'pii' } & Selected<PiiKind>)
  | ({ readonly detector: 'secrets' } & Selected<SecretKind>)
  | ({ readonly detector: 'injection' } & Selected<InjectionKind>)
  | ({ readonly detector: 'size' } & SizeLimits)
  | ({ readonly detector: 'webhook' } & WebhookSettings)
  /** A JSON schema that a content has to fit: whoever compiles the rule brings what judges by it. */
  | { readonly detector: 'schema'; readonly schema: Readonly<Record<string, unknown>> }

/** How texts are judged by a server beside Postern. */
export interface WebhookSettings {
  /** `presidio`: POST /analyze of a Presidio analyzer. `signed`: a request that is signed, and a verdict. */
  readonly format: 'presidio' | 'signed'
  readonly timeout_ms: number
  /** Members below are of `presidio` alone. */
  readonly language?: string
  /** Types of entities, as the analyzer names them. Absent: all that it knows. */
  readonly entities?: readonly string[]
  /** As in {@link Selected}. */
  readonly threshold?: number
  readonly allow?: readonly string[]
}

/** Limits of a text. Absent: no limit. */
export interface SizeLimits {
  /** Of the text in UTF-8. */
  readonly bytes?: number
  /** Levels of lists and objects of a JSON text. */
  readonly depth?: number
  /** Items of one list, or members of one object, of a JSON text. */
  readonly items?: number
}

export type DetectorName = DetectorSettings['detector']

export const THRESHOLD_DEFAULT = 0.5
