import { useSession } from '../../api/session.ts'
import { Page } from '../../kit/page.tsx'

export default function Home() {
  const session = useSession()
  return (
    <Page name="Home" title="Home" lead={session === null ? undefined : `Signed in as ${session.name}`}>
      <span />
    </Page>
  )
}
