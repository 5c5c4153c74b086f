import { Braces } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { Button } from '../kit/controls.tsx'
import { Dialog } from '../kit/dialog.tsx'
import type { ApiRequest } from './forms.ts'

const AllForms = lazy(() => import('./all-forms.tsx'))

/** The same request for other interfaces: curl, the command line, MCP, and a configuration file where there is one. */
export function ShowAs({ request }: { request: ApiRequest }) {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button tone="quiet" isSmall icon={Braces} onClick={() => setOpen(true)}>
        Show as
      </Button>
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
