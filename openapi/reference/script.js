// What the page can do beyond being read: find, copy, and try an operation with one's key.

document.documentElement.classList.add("scripted")

for (const origin of document.querySelectorAll(".origin")) origin.textContent = location.origin

const menu = document.querySelector(".menu")
const narrow = matchMedia("(max-width: 52rem)")
const fold = () => {
  menu.open = !narrow.matches
}
fold()
narrow.addEventListener("change", fold)
menu.addEventListener("click", ({ target }) => {
  if (narrow.matches && target.closest("a")) menu.open = false
})

// Where the reader is, in the list of operations.
const entries = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]))
const seen = new IntersectionObserver(
  (changes) => {
    for (const { isIntersecting, target } of changes) {
      if (!isIntersecting) continue
      document.querySelector("nav .here")?.classList.remove("here")
      entries.get(target.id)?.classList.add("here")
    }
  },
  { rootMargin: "0px 0px -70% 0px" },
)
for (const part of document.querySelectorAll("article, #start")) seen.observe(part)

document.querySelector(".find input").addEventListener("input", ({ target }) => {
  const words = target.value.toLowerCase().split(/\s+/)
  for (const entry of document.querySelectorAll("nav [data-find]"))
    entry.hidden = !words.every((word) => entry.dataset.find.includes(word))
})

for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("code").textContent
    const copied = await navigator.clipboard.writeText(text).then(
      () => "Copied",
      () => "Not allowed",
    )
    button.textContent = copied
    setTimeout(() => {
      button.textContent = "Copy"
    }, 1500)
  })
}

const key = document.querySelector(".key input")
key.value = sessionStorage.getItem("key") ?? ""
key.addEventListener("input", () => sessionStorage.setItem("key", key.value))
key.form.addEventListener("submit", (event) => event.preventDefault())

/** The address of an operation with what stands in its form. */
const addressOf = (path, form) => {
  const query = new URLSearchParams()
  let url = path
  for (const { name, value, dataset } of form.querySelectorAll("input")) {
    if (dataset.in === "path") url = url.replace(`{${name}}`, encodeURIComponent(value))
    else if (value !== "") query.set(name, value)
  }
  return query.size ? `${url}?${query}` : url
}

const pretty = (text) => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

const show = (output, line, text) => {
  const pre = document.createElement("pre")
  pre.textContent = text
  output.replaceChildren(line, ...(text ? [pre] : []))
}

for (const form of document.querySelectorAll(".try form")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    const { method, path } = form.closest("article").dataset
    const output = form.querySelector("output")
    const body = form.querySelector("textarea")?.value
    const headers = { ...(key.value ? { authorization: `Bearer ${key.value}` } : {}) }
    if (body !== undefined) headers["content-type"] = "application/json"
    output.textContent = "Waiting for the answer…"
    try {
      const answer = await fetch(addressOf(path, form), { method, headers, body })
      show(output, `${answer.status} ${answer.statusText}`, pretty(await answer.text()))
    } catch (error) {
      show(output, `No answer: ${error.message}`, "")
    }
  })
}
