import { useState } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { operation, useMay } from '../../api/client.ts'
import { ReviewWrite } from '../../forms/write.tsx'
import { Button } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { accountWords, placeOf } from './place.ts'

/** What may be done with an account at an origin. @param item as `connections.list` answers it */
export default function ConnectionActions({ item }: { item: JsonObject }) {
  const may = useMay()
  const [running, setRunning] = useState<'toggle' | 'disconnect' | null>(null)
  const account = accountWords(item)
  const word = item['active'] === false ? 'Activate' : 'Deactivate'
  const close = (): void => setRunning(null)
  const title = running === 'toggle' ? `${word} ${account}` : `Disconnect ${account}`
  return (
    <span className="inline-flex gap-2">
      {may('connections.toggle') && (
        <Button isSmall aria-label={`${word} ${account}`} onClick={() => setRunning('toggle')}>
          {word}
        </Button>
      )}
      {may('connections.disconnect') && (
        <Button
          isSmall
          tone="danger"
          aria-label={`Disconnect ${account}`}
          onClick={() => setRunning('disconnect')}
        >
          Disconnect
        </Button>
      )}
      {running !== null && (
        <Dialog title={title} onClose={close}>
          <ReviewWrite
            row={operation(`connections.${running}`)!}
            input={{ ...placeOf(item), ...(running === 'toggle' && { active: item['active'] === false }) }}
            slug={String(item['origin'])}
            verb={running === 'toggle' ? word : 'Disconnect'}
            expectedRevision={undefined}
            done={running === 'toggle' ? 'Saved' : 'Disconnected'}
            onBack={close}
            onDone={close}
          />
        </Dialog>
      )}
    </span>
  )
}
