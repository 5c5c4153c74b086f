import { Play } from 'lucide-react'
import { useId, useState } from 'react'
import type { Json } from '../../../../build/document.ts'
import { Button } from '../../../kit/button.tsx'
import { Labeled, TextArea } from '../../../kit/inputs.tsx'

interface RawFormProps {
  readonly text: string
  readonly onText: (text: string) => void
  readonly isBusy: boolean
  readonly onSend: (message: Json) => void
}

/** Any message. It is sent as it stands; the headers that repeat what it says are made of it. */
export function RawForm({ text, onText, isBusy, onSend }: RawFormProps) {
  const id = useId()
  const [fault, setFault] = useState<string | null>(null)
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault()
        try {
          onSend(JSON.parse(text) as Json)
        } catch (error) {
          setFault(`This is not JSON: ${error instanceof Error ? error.message : 'it cannot be read'}.`)
        }
      }}
    >
      <Labeled
        id={`${id}raw`}
        label="Message"
        hint="A request, a notification or a response. It is sent as it stands."
        error={fault}
      >
        <TextArea
          id={`${id}raw`}
          rows={14}
          required
          className="font-mono"
          value={text}
          aria-invalid={fault !== null || undefined}
          aria-describedby={`${id}raw-hint`}
          onChange={(event) => {
            onText(event.target.value)
            setFault(null)
          }}
        />
      </Labeled>
      <div>
        {/* A response may have to be sent while the call that it belongs to is under way */}
        <Button type="submit" tone="primary" icon={Play} aria-busy={isBusy || undefined}>
          Send
        </Button>
      </div>
    </form>
  )
}
