// Loaded in front of a program: says at its end how much memory it had at most, in kilobytes.
process.on('exit', () => {
  process.stderr.write(`\npeak ${process.resourceUsage().maxRSS}\n`)
})
