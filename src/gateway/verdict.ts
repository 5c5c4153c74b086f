import type { RefusalCode } from '../base/refusal.ts'

/** The check has set `exchange.reply`, which answers the request: nothing is forwarded. */
export const ANSWERED = 0

/** The code of a refusal, null to go on, or {@link ANSWERED}. */
export type Verdict = RefusalCode | null | typeof ANSWERED
