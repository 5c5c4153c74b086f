import { useState } from 'react'
import { Checkbox } from '../kit/controls.tsx'
import { Dialog } from '../kit/dialog.tsx'
import { setSingleKeys, singleKeysOn } from './keys.ts'
import { PLACES } from './navigation.ts'

const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ['Ctrl K or ⌘ K', 'Search, go to a page, or run an operation'],
  ['/', 'Search in the list'],
  ['j, k', 'Next and previous row'],
  ['Enter', 'Open the row'],
  ['n', 'New'],
  ['e', 'Edit'],
  ['?', 'Show these shortcuts'],
]

export default function KeyHelp({ onClose }: { onClose: () => void }) {
  const [isOn, setOn] = useState(singleKeysOn())
  const places = PLACES.filter(({ letter }) => letter !== undefined).map(
    ({ letter, label }) => [`g ${letter}`, label] as const,
  )
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
        {[...KEYS, ...places].map(([keys, does]) => (
          <div key={keys} className="contents">
            <dt>
              <kbd className="rounded-md border border-line bg-raised px-1.5 font-mono text-sm">{keys}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <div className="mt-4 border-t border-line pt-3">
        <Checkbox
          label="Shortcuts of a single key"
          hint="Turn them off if you use speech input or press keys by accident."
          checked={isOn}
          onChange={(event) => {
            setSingleKeys(event.target.checked)
            setOn(event.target.checked)
          }}
        />
      </div>
    </Dialog>
  )
}
