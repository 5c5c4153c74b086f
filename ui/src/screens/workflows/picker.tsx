import { useId, useState } from 'react'
import { rank } from '../../app/search.ts'
import { TextInput } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { Listbox, type Option } from '../../kit/listbox.tsx'

interface PickerProps {
  readonly title: string
  readonly placeholder: string
  readonly options: readonly Option[]
  readonly onPick: (value: string) => void
  readonly onClose: () => void
}

/** One of several options, found by typing. Arrows walk, Enter picks. */
export function Picker({ title, placeholder, options, onPick, onClose }: PickerProps) {
  const [text, setText] = useState('')
  const id = useId()
  const found = rank(options, text)
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="flex min-h-80 flex-col">
        <Listbox id={id} isOpen isStatic options={found} onClose={onClose} onPick={onPick}>
          {(attributes) => (
            <TextInput
              {...attributes}
              data-autofocus
              aria-label={title}
              placeholder={placeholder}
              value={text}
              onChange={(event) => setText(event.target.value)}
              onBlur={() => {}}
            />
          )}
        </Listbox>
        {found.length === 0 && (
          <p role="status" className="px-2 py-4 text-muted">
            Nothing found.
          </p>
        )}
      </div>
    </Dialog>
  )
}
