/**
 * Carries out what the main thread tells a gateway thread.
 *
 * 1. A change is acknowledged (`applied`) when it is in force for every request that starts from then on. Changes are
 *    acknowledged in order.
 * 2. The thread opens its listeners once, after the first whole snapshot is in force.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Gateway } from '../../gateway/gateway.ts'
import type { OriginProbed } from '../../model/mcp/origin.ts'
import type { Event } from '../../shared-state/ports/events.ts'
import type { OriginFragment } from '../../snapshot/fragments.ts'
import { fromSent, unpack } from '../../snapshot/packed-fragments.ts'
import type { TlsOptions } from '../../wire/port.ts'
import type { Answers, Attachment, FromGateway, Question, ToGateway } from '../shared/messages.ts'
import type { ConsoleCallerClient } from './console.ts'
import type {
  ConnectionClient,
  IdempotencyClient,
  KeySetClient,
  OnceClient,
  OriginSessionClient,
  SharedWatchClient,
  SignInClient,
} from './main-thread.ts'
import { LISTENERS } from './router.ts'
import type { VerifiedTokens } from './verified-tokens.ts'

/** The streams at origins that this thread has. */
interface OriginWatching {
  /** The threads that share them, by slot. */
  share(slots: readonly number[]): void
  want(origin: string, uris: readonly string[]): void
  /** Origins that cannot be reached have become these. */
  down(origins: ReadonlySet<string>): void
}

export interface OrdersParts {
  readonly gateway: Pick<
    Gateway,
    | 'load'
    | 'apply'
    | 'setOriginsDown'
    | 'explain'
    | 'tryCredential'
    | 'replay'
    | 'tryWorkflow'
    | 'arm'
    | 'tryGuardrail'
    | 'credentialUses'
    | 'healthOf'
  >
  /** Finds out how an origin is spoken to and what it lists. */
  readonly probe: (origin: OriginFragment, as?: string) => Promise<OriginProbed>
  readonly say: (message: FromGateway) => void
  /** Opens both listeners. A thread whose listeners cannot open ends, and is replaced. */
  readonly listen: () => Promise<void>
  /** Request records go to this port from now on. */
  readonly recordTo: (port: MessagePort) => void
  readonly keySets: Pick<KeySetClient, 'answered'>
  readonly verifiedTokens: Pick<VerifiedTokens, 'answered'>
  readonly signIns: Pick<SignInClient, 'answered'>
  readonly connections: Pick<ConnectionClient, 'answered'>
  readonly consoleCallers: Pick<ConsoleCallerClient, 'answered'>
  readonly keys: Pick<IdempotencyClient, 'claimed'>
  readonly once: Pick<OnceClient, 'answered'>
  readonly originSessions: Pick<OriginSessionClient, 'heard'>
  readonly deliver: (event: Event) => void
  readonly watch: OriginWatching
  readonly sharedWatch: Pick<SharedWatchClient, 'updated'>
  /** Attachments to calls of this thread, and the end of threads whose calls others attach to. */
  readonly heldCalls: {
    readonly deliver: (attachment: Attachment) => void
    readonly ended: (slot: number) => void
  }
  readonly setCredentialKey: (credentialKey: Uint8Array) => void
  /** @param listener index of it */
  readonly setTls: (tls: TlsOptions, listener: number) => void
  /** Lets requests end for so long, and gives everything back. */
  readonly drain: (deadlineMs: number) => Promise<void>
}

export function createOrders(parts: OrdersParts): (message: ToGateway) => void {
  const { gateway, say } = parts
  let started = false

  async function answerTo(question: Question): Promise<Answers[Question['about']]> {
    switch (question.about) {
      case 'request':
        return gateway.explain(question.asked)
      case 'credential':
        return gateway.tryCredential(question.trial)
      case 'origin':
        return parts.probe(question.origin, question.as)
      case 'replay':
        return gateway.replay(question.asked)
      case 'trial':
        return gateway.tryWorkflow(question.asked)
      case 'captures':
        gateway.arm(question.captures)
        return true
      case 'guardrail':
        return gateway.tryGuardrail(question.trial)
      case 'uses':
        return gateway.credentialUses()
      case 'health':
        return gateway.healthOf(question.collection)
    }
  }

  return (message) => {
    switch (message.kind) {
      case 'snapshot_part':
        gateway.load({ put: unpack(message.piece), drop: [] }, message.full)
        return
      case 'snapshot': {
        const faults = gateway.apply(fromSent(message.delta))
        say({ kind: 'applied', faults })
        if (started) return
        started = true
        // A rejection that nothing handles ends the thread
        void parts.listen().then(() => say({ kind: 'listening' }))
        return
      }
      case 'recorder':
        parts.recordTo(message.port)
        return
      case 'key_set':
        parts.keySets.answered(message.id, message.answer)
        return
      case 'proved':
        parts.verifiedTokens.answered(message.id, message.principal)
        return
      case 'signed_in':
        parts.signIns.answered(message.id, message.proof)
        return
      case 'connected':
        parts.connections.answered(message.id, message.answer)
        return
      case 'console_caller':
        parts.consoleCallers.answered(message.id, message.caller)
        return
      case 'ask': {
        const { id, question } = message
        void answerTo(question).then((answer) => say({ kind: 'answered', id, answer }))
        return
      }
      case 'credential_key':
        parts.setCredentialKey(message.credentialKey)
        return
      case 'tls':
        parts.setTls(message.tls, LISTENERS[message.listener])
        return
      case 'claimed':
        parts.keys.claimed(message.id, message.claim)
        return
      case 'claimed_once':
        parts.once.answered(message.id, message.claimed)
        return
      case 'origin_session':
        parts.originSessions.heard(message.reply)
        return
      case 'event':
        parts.deliver(message.event)
        return
      case 'watchers':
        parts.watch.share(message.slots)
        return
      case 'origins_down': {
        const origins = new Set(message.origins)
        gateway.setOriginsDown(origins)
        parts.watch.down(origins)
        return
      }
      case 'captures':
        gateway.arm(message.captures)
        return
      case 'watch_resources':
        parts.watch.want(message.origin, message.uris)
        return
      case 'resources_updated':
        parts.sharedWatch.updated(message.origin, message.uris)
        return
      case 'attachment':
        parts.heldCalls.deliver(message)
        return
      case 'thread_ended':
        parts.heldCalls.ended(message.slot)
        return
      case 'drain':
        void parts.drain(message.deadlineMs).then(() => say({ kind: 'drained' }))
        return
    }
  }
}
