/** Terms of guardrails that rules and administrators share. */

/** Where a guardrail looks. */
export const LEGS = ['request', 'response', 'list'] as const
export type Leg = (typeof LEGS)[number]

/** The secret field of a guardrail: the key of its hashes. */
export const HASH_KEY = 'hash_key'

/** What an enforced guardrail does with what it finds. `log` counts alone, and with `decide` a webhook blocks or changes. */
export const RULE_ACTIONS = ['block', 'redact', 'remove', 'mask', 'hash', 'replace', 'decide', 'log'] as const
export type RuleAction = (typeof RULE_ACTIONS)[number]
