import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { isSignedIn } from './api/client.ts'
import { createConsoleRouter } from './app/router.tsx'
import { applyTheme, createQueries } from './app/shell.tsx'
import { giveUp } from './kit/leave-guard.ts'
import './styles.css'

applyTheme()
// A page that was opened before a new version was installed asks for files that are gone. Once: a reload brings the new ones. Not
// while nothing answers: a reload would bring an error of the browser, and lose what is on the page
addEventListener('vite:preloadError', () => {
  if (sessionStorage.getItem('postern-reloaded') !== null) return
  isSignedIn().then(
    () => {
      sessionStorage.setItem('postern-reloaded', '1')
      location.reload()
    },
    () => {},
  )
})
// A browser may bring a page back as it was, also after a sign-out
addEventListener('pageshow', ({ persisted }) => {
  if (!persisted) return
  isSignedIn().then(
    (isIn) => {
      if (isIn) return
      giveUp()
      location.reload()
    },
    () => {},
  )
})

const queries = createQueries()
const router = createConsoleRouter(queries)

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
)
