"""An observatory in a box: sky, camera, nights, and checks against what is true."""
