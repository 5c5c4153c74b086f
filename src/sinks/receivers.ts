/** The receiver of each type of destination. */
import { createFileReceiver } from './file.ts'
import type { SinkTarget } from './port.ts'
import type { Receiver, ReceiverParts } from './receiver.ts'
import { createSyslogReceiver } from './syslog.ts'
import { createWebhookReceiver } from './webhook.ts'

export function openReceiver({ destination, secret }: SinkTarget, parts: ReceiverParts): Receiver {
  switch (destination.type) {
    case 'webhook':
      return createWebhookReceiver(destination, secret ?? '', parts)
    case 'file':
      return createFileReceiver(destination, parts)
    case 'syslog':
      return createSyslogReceiver(destination, parts)
  }
}
