import type { AskWebhook } from '../../guardrails/asked.ts'
import type { Exchange } from '../exchange.ts'
import { holderIn } from '../exchange-memory.ts'

/** How rules of an exchange ask webhooks: in the place of its caller. */
export function askFor(exchange: Exchange): AskWebhook {
  const { lane, snapshot } = exchange
  return (rule, leg, texts) => lane.webhooks.ask(snapshot, holderIn(exchange), rule, leg, texts)
}
