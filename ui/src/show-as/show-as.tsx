import { Braces } from 'lucide-react'
import {
  lazy,
  type RefObject,
  Suspense,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import { Button } from '../kit/controls.tsx'
import { Dialog } from '../kit/dialog.tsx'
import type { ApiRequest } from './forms.ts'

const AllForms = lazy(() => import('./all-forms.tsx'))

/** The same request for other interfaces: curl, the command line, MCP, and a configuration file where there is one. */
export function ShowAs({ request }: { request: ApiRequest }) {
  const [isOpen, setOpen] = useState(false)
  const place = useRef<HTMLSpanElement>(null)
  const isSecond = useYields(place)
  return (
    <>
      <span ref={place} className={isSecond ? 'invisible' : ''}>
        <Button tone="quiet" isSmall icon={Braces} onClick={() => setOpen(true)}>
          Show as
        </Button>
      </span>
      {isOpen && (
        <Dialog title={`${request.operation.summary}: show as`} onClose={() => setOpen(false)} shape="wide">
          <Suspense>
            <AllForms request={request} />
          </Suspense>
        </Dialog>
      )}
    </>
  )
}

// A screen has one "Show as": that of its content, or else that of its head. The place in the head stays, so that nothing moves.

let inContent = 0
const listeners = new Set<() => void>()

function change(by: number): void {
  inContent += by
  for (const tell of listeners) tell()
}

/** True for the button in the head of a page whose content has one. Dialogs are screens of their own. */
function useYields(place: RefObject<HTMLElement | null>): boolean {
  const [isInHead, setInHead] = useState(false)
  useLayoutEffect(() => {
    const element = place.current
    if (element === null || element.closest('dialog') !== null) return
    if (element.closest('[data-page-head]') !== null) {
      setInHead(true)
      return
    }
    change(1)
    return () => change(-1)
  }, [place])
  const count = useSyncExternalStore(
    (tell) => {
      listeners.add(tell)
      return () => listeners.delete(tell)
    },
    () => inContent,
  )
  return isInHead && count > 0
}
