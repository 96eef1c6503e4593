for (const player of document.querySelectorAll('.player')) {
  const images = player.querySelectorAll('img'), output = player.querySelector('output')
  player.querySelector('input').addEventListener('input', event => {
    images.forEach((image, i) => { image.hidden = i != event.target.value })
    output.textContent = 'step ' + images[event.target.value].dataset.step
  })
}
