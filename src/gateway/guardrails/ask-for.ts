import type { AskWebhook } from '../../guardrails/asked.ts'
import type { Exchange } from '../exchange.ts'

/** How rules of an exchange ask webhooks. */
export function askFor({ lane, snapshot }: Exchange): AskWebhook {
  return (rule, leg, texts) => lane.webhooks.ask(snapshot, rule, leg, texts)
}
